//! Inputs that are mostly right, made of good ones.

use fastrand::Rng;

/// The longest input, in bytes: that of the largest frame.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// The most changes to one seed.
const CHANGES_MAX: usize = 5;

/// An endless sequence of inputs, which is the same every time.
pub(crate) struct Mutations {
    random: Rng,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
}

impl Mutations {
    pub(crate) fn new(seeds: Vec<Vec<u8>>, words: &'static [&'static str]) -> Self {
        assert!(!seeds.is_empty(), "there is nothing to begin with");
        Self { random: Rng::with_seed(1), seeds, words }
    }

    pub(crate) fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..self.random.usize(1..=CHANGES_MAX) {
            self.change(&mut input);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let number = self.random.usize(..self.seeds.len());
        self.seeds[number].clone()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let place = self.random.usize(..=input.len());
        match self.random.u32(..100) {
            // A bit, a byte, a digit.
            0..20 => self.overwrite(input, |byte, random| byte ^ (1 << random.u32(..8))),
            20..30 => self.overwrite(input, |_, random| random.u8(..)),
            30..45 => self.overwrite(input, |_, random| random.u8(b'0'..=b'9')),
            45..65 => {
                let word = self.word();
                input.splice(place..place, word);
            }
            65..75 => {
                let end = self.random.usize(place..=input.len().min(place + 40));
                input.drain(place..end);
            }
            75..85 => {
                let end = self.random.usize(place..=input.len().min(place + 200));
                let again = input[place..end].to_vec();
                input.splice(end..end, again);
            }
            // The beginning of one and the end of another.
            85..95 => {
                let other = self.seed();
                let from = self.random.usize(..=other.len());
                input.truncate(place);
                input.extend_from_slice(&other[from..]);
            }
            95..99 => input.truncate(place),
            // Very much of the same.
            _ => {
                let word = self.word();
                let times = INPUT_BYTES_MAX / word.len().max(1);
                let many = word.repeat(self.random.usize(..=times));
                input.splice(place..place, many);
            }
        }
    }

    fn overwrite(&mut self, input: &mut [u8], with: impl Fn(u8, &mut Rng) -> u8) {
        if !input.is_empty() {
            let place = self.random.usize(..input.len());
            input[place] = with(input[place], &mut self.random);
        }
    }

    fn word(&mut self) -> Vec<u8> {
        match self.random.choice(self.words) {
            Some(word) => word.as_bytes().to_vec(),
            None => vec![self.random.u8(..)],
        }
    }
}
