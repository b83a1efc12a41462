//! Faults that wait for their request.

use super::kinds::{Fault, Matcher, When};
use crate::RequestRecord;

/// All injected faults that are not spent, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Waiting>);

#[derive(Debug)]
struct Waiting {
    fault: Fault,
    /// Requests that counted since the injection.
    seen: u64,
    /// State of the random sequence.
    random: u64,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) {
        let random = match fault.when {
            When::Chance { seed, .. } => seed,
            _ => 0,
        };
        self.0.push(Waiting { fault, seen: 0, random });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that strikes this request. Every waiting fault counts it, one strikes.
    pub(crate) fn strike(&mut self, request: &RequestRecord) -> Option<Fault> {
        let mut struck = None;
        for waiting in &mut self.0 {
            if waiting.counts(request) && struck.is_none() && waiting.fault.times > 0 {
                waiting.fault.times -= 1;
                struck = Some(waiting.fault.clone());
            }
        }
        self.0.retain(|waiting| waiting.fault.times > 0);
        struck
    }
}

impl Waiting {
    fn counts(&mut self, request: &RequestRecord) -> bool {
        match &self.fault.when {
            When::Always => true,
            When::Nth(nth) => {
                self.seen += 1;
                self.seen >= *nth
            }
            When::Matching { matcher, nth } => {
                if matcher.matches(request) {
                    self.seen += 1;
                }
                matcher.matches(request) && self.seen >= *nth
            }
            When::Chance { probability, .. } => {
                let probability = *probability;
                self.random() < probability
            }
        }
    }

    /// SplitMix64, as a number from 0 up to but not including 1.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // 53 bits are what a double holds exactly.
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Matcher {
    fn matches(&self, request: &RequestRecord) -> bool {
        let equal = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
        let part = |wanted: &Option<String>, value: &Option<String>| match (wanted, value) {
            (None, _) => true,
            (Some(part), Some(value)) => value.contains(part.as_str()),
            (Some(_), None) => false,
        };
        equal(&self.r#type, &request.r#type)
            && equal(&self.action, &request.action)
            && equal(&self.category, &request.category)
            && equal(&self.whole_xpath, &request.xpath)
            && part(&self.cmd, &request.cmd)
            && part(&self.xpath, &request.xpath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::What;

    fn request(kind: &str) -> RequestRecord {
        RequestRecord { r#type: Some(kind.to_owned()), ..RequestRecord::default() }
    }

    fn strikes(faults: &mut Faults, kinds: &[&str]) -> Vec<bool> {
        let hit = |kind: &&str| faults.strike(&request(kind)).is_some();
        kinds.iter().map(hit).collect()
    }

    #[test]
    fn strikes_the_nth_request_and_is_spent() {
        let mut faults = Faults::default();
        faults.inject(Fault::new(When::Nth(2), What::Close));
        assert_eq!(strikes(&mut faults, &["op", "op", "op"]), [false, true, false]);
    }

    #[test]
    fn counts_only_what_matches() {
        let mut faults = Faults::default();
        let matcher = Matcher::typed("import");
        faults.inject(Fault::new(When::Matching { matcher, nth: 2 }, What::Close).times(2));
        assert_eq!(
            strikes(&mut faults, &["import", "op", "import", "import", "import"]),
            [false, false, true, true, false]
        );
    }

    #[test]
    fn chance_is_repeatable() {
        let run = || {
            let mut faults = Faults::default();
            let when = When::Chance { probability: 0.5, seed: 7 };
            faults.inject(Fault::new(when, What::Close).times(u32::MAX));
            strikes(&mut faults, &["op"; 64])
        };
        let first = run();
        assert_eq!(first, run());
        let hits = first.iter().filter(|hit| **hit).count();
        assert!((16..48).contains(&hits), "{hits} of 64");
    }
}
