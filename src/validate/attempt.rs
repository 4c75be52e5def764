//! One attempt to connect, as a kernel and the model can both make it.

use serde::{Deserialize, Serialize};

use crate::model::{self, Ending};

/// One attempt of [`super::Experiment::Churn`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it is made, in seconds from the start.
    pub time: f64,
    /// Number of the destination, from 0.
    pub destination: u32,
    /// Time from its success to the first FIN or reset, in seconds.
    #[serde(alias = "lifetime")]
    pub life: f64,
    /// Who closes.
    #[serde(with = "ending")]
    pub close: Ending,
    /// Number of the source address, from 0; all in turn where it does not say.
    #[serde(default)]
    pub source: Option<u32>,
    /// How its socket comes by its port: 0 for [`super::Churn::how`], else one of [`super::Churn::others`].
    #[serde(default)]
    pub how: u16,
    /// The port that it binds, of its own choice.
    #[serde(default)]
    pub port: Option<u16>,
}

/// As long as a machine is up.
const FOR_EVER_S: f64 = 1e6;

impl From<model::Attempt> for Attempt {
    /// A connection that never ends does so after a time that no experiment lasts.
    fn from(attempt: model::Attempt) -> Self {
        Self {
            time: attempt.at.as_secs_f64(),
            destination: attempt.tuple.endpoint,
            life: match attempt.ending {
                Ending::Never => FOR_EVER_S,
                _ => attempt.lifetime.as_secs_f64().min(FOR_EVER_S),
            },
            close: match attempt.ending {
                Ending::Never => Ending::Reset,
                ending => ending,
            },
            source: Some(attempt.tuple.source),
            how: attempt.client,
            port: None,
        }
    }
}

/// How a case writes who ends a connection; that one never ends cannot be written.
pub(super) mod ending {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

    use crate::model::Ending;

    /// In the order of [`Ending::ALL`].
    const WORDS: [&str; 6] = ["client", "server", "rst", "rst-server", "unread", "half"];

    pub fn serialize<S: Serializer, T: Copy + Into<Option<Ending>>>(
        ending: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let ending: Option<Ending> = (*ending).into();
        let place = Ending::ALL.iter().position(|known| Some(*known) == ending);
        let word = place.and_then(|place| WORDS.get(place));
        let word = word.ok_or_else(|| ser::Error::custom("a case ends what it opens"))?;
        word.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: From<Ending>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let word = String::deserialize(deserializer)?;
        let place = WORDS.iter().position(|known| *known == word);
        let place = place.ok_or_else(|| de::Error::unknown_variant(&word, &WORDS))?;
        Ok(Ending::ALL[place].into())
    }
}
