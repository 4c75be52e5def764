//! A rate of attempts that changes over time, known in advance.

/// Rates at moments, and what lies between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Seconds from the start, rising and the first at 0, each with attempts a second from then on.
    pub points: Vec<(f64, f64)>,
    /// Does the rate move evenly from one to the next? Else it stays until then.
    pub ramps: bool,
    /// After so many seconds, beyond the last point, all begins again; `None`: the last rate stays.
    pub repeat: Option<f64>,
}

/// A place on the curve: a piece, how far into it, and when all pieces began, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    piece: usize,
    into: f64,
    begun: f64,
}

impl Rates {
    /// The highest rate.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.points.iter().map(|point| point.1).fold(0.0, f64::max)
    }

    /// The place on the curve after `secs` seconds.
    #[must_use]
    pub fn place_at(&self, secs: f64) -> Place {
        let (whole, within) = match self.repeat {
            Some(whole) => ((secs / whole).floor(), secs % whole),
            None => (0.0, secs),
        };
        let piece = self.points.partition_point(|point| point.0 <= within).saturating_sub(1);
        let begun = whole * self.repeat.unwrap_or(0.0);
        Place { piece, into: within - self.points[piece].0, begun }
    }

    /// The mean rate of the first `secs` seconds.
    #[must_use]
    pub fn mean_until(&self, secs: f64) -> f64 {
        let (mut sum, mut place, mut at) = (0.0, Place::default(), 0.0);
        while at < secs {
            let (length, from, to) = self.piece(place.piece);
            let step = length.min(secs - at);
            sum += area(from, slope(length, from, to), step);
            at += step;
            place = self.next_piece(place, length);
        }
        sum / secs.max(f64::MIN_POSITIVE)
    }

    /// The moment at which `attempts` more have been made after `place`, in seconds, which is `place` then;
    /// infinite when they never are.
    pub fn advance(&self, place: &mut Place, attempts: f64) -> f64 {
        let mut left = attempts;
        loop {
            let (length, from, to) = self.piece(place.piece);
            let slope = slope(length, from, to);
            let rate = from + slope * place.into;
            let rest = length - place.into;
            let made =
                if rest.is_finite() { area(rate, slope, rest) } else { f64::INFINITY * rate };
            // Zero times infinity, where nothing is made for ever.
            if made.is_nan() {
                return f64::INFINITY;
            }
            if made >= left && (rest.is_finite() || rate > 0.0) {
                place.into += time_for(rate, slope, left).min(rest);
                return place.begun + self.points[place.piece].0 + place.into;
            }
            if !rest.is_finite() {
                return f64::INFINITY;
            }
            left -= made;
            *place = self.next_piece(*place, length);
        }
    }

    /// How long a piece is, and the rates at its ends.
    fn piece(&self, index: usize) -> (f64, f64, f64) {
        let (at, from) = self.points[index];
        match (self.points.get(index + 1), self.repeat) {
            (Some(&(next, to)), _) => (next - at, from, if self.ramps { to } else { from }),
            (None, Some(whole)) => {
                (whole - at, from, if self.ramps { self.points[0].1 } else { from })
            }
            (None, None) => (f64::INFINITY, from, from),
        }
    }

    fn next_piece(&self, place: Place, length: f64) -> Place {
        let begun = place.begun;
        match self.repeat {
            _ if place.piece + 1 < self.points.len() => {
                Place { piece: place.piece + 1, into: 0.0, begun }
            }
            Some(whole) => Place { piece: 0, into: 0.0, begun: begun + whole },
            None => Place { into: place.into + length, ..place },
        }
    }
}

/// Of a rate, a second.
fn slope(length: f64, from: f64, to: f64) -> f64 {
    if length.is_finite() && length > 0.0 { (to - from) / length } else { 0.0 }
}

/// Attempts in `secs` seconds from a rate that moves.
fn area(rate: f64, slope: f64, secs: f64) -> f64 {
    secs * (rate + slope * secs / 2.0)
}

/// The seconds in which so many attempts are made: the inverse of [`area`].
fn time_for(rate: f64, slope: f64, attempts: f64) -> f64 {
    // Without cancellation, for rising and falling rates alike.
    let root = (rate * rate + 2.0 * slope * attempts).max(0.0).sqrt();
    2.0 * attempts / (rate + root)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is made until the moment told is what was asked for, whatever the pieces.
        #[test]
        fn the_moment_told_is_that_of_so_many_attempts(
            steps in prop::collection::vec((0.1_f64..50.0, 0.0_f64..300.0), 1..6),
            ramps in any::<bool>(),
            repeats in any::<bool>(),
            asked in prop::collection::vec(0.001_f64..400.0, 1..20),
        ) {
            let mut at = 0.0;
            let mut points = Vec::new();
            for (length, rate) in steps {
                points.push((at, rate));
                at += length;
            }
            let repeat = repeats.then_some(at);
            let rates = Rates { points, ramps, repeat };
            prop_assume!(!repeats || rates.most() > 1.0);
            let (mut place, mut sum) = (Place::default(), 0.0);
            for attempts in asked {
                sum += attempts;
                let moment = rates.advance(&mut place, attempts);
                if moment.is_infinite() {
                    prop_assert!(rates.points.last().unwrap().1 == 0.0 || !repeats);
                    break;
                }
                let made = rates.mean_until(moment) * moment;
                prop_assert!((made - sum).abs() < 1e-6 * sum.max(1.0), "{made} {sum} at {moment}");
            }
        }
    }

    #[test]
    fn a_rate_that_ends_at_zero_makes_no_more() {
        let rates = Rates { points: vec![(0.0, 10.0), (5.0, 0.0)], ramps: false, repeat: None };
        let mut place = Place::default();
        assert_eq!(rates.advance(&mut place, 50.0), 5.0);
        assert!(rates.advance(&mut place, 1.0).is_infinite());
        assert_eq!(rates.mean_until(10.0), 5.0);
    }
}
