//! The curves beside which measured blocking is read.

use crate::theory::erlang_b;

/// Two curves nearer than this everywhere are drawn as one.
const ONE_CURVE: f64 = 0.01;
/// Points of a curve.
const POINTS: u32 = 160;

/// Erlang B against offered load relative to capacity, for pools of `fewest` to `most` ports whose
/// curves are one.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub fewest: u64,
    pub most: u64,
    /// (erlangs a port, share blocked).
    pub points: Vec<(f64, f64)>,
}

/// The curves of pools of these sizes up to `highest` erlangs a port; at most three, those of the
/// smallest and the largest pool among them.
pub(super) fn curves(mut sizes: Vec<u64>, highest: f64) -> Vec<Curve> {
    sizes.retain(|&size| size > 0);
    sizes.sort_unstable();
    sizes.dedup();
    let mut curves: Vec<Curve> = Vec::new();
    for size in sizes {
        let points = curve(size, highest);
        match curves.last_mut().filter(|last| apart(&last.points, &points) < ONE_CURVE) {
            Some(last) => last.most = size,
            None => curves.push(Curve { fewest: size, most: size, points }),
        }
    }
    if curves.len() > 3 {
        let last = curves.len() - 1;
        curves = [0, last / 2, last].map(|index| curves[index].clone()).to_vec();
    }
    curves
}

fn curve(size: u64, highest: f64) -> Vec<(f64, f64)> {
    let at = |index: u32| {
        let load = highest * f64::from(index) / f64::from(POINTS);
        (load, erlang_b(size, load * size as f64))
    };
    (0..=POINTS).map(at).collect()
}

fn apart(a: &[(f64, f64)], b: &[(f64, f64)]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a.1 - b.1).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_whose_curves_are_one_share_a_curve() {
        let curves = curves(vec![28_232, 16_384, 5, 0, 16_384, 50, 500, 2_000], 2.0);
        assert_eq!(curves.len(), 3);
        assert_eq!(curves[0].fewest, 5);
        assert_eq!(curves[2].most, 28_232);
    }
}
