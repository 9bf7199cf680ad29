//! Ratings in words, by the levels of the reference systems' guide.

/// How good a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rating {
    /// As good as it gets.
    Excellent,
    /// Good.
    Good,
    /// To be improved.
    Poor,
    /// Something is wrong.
    Bad,
}

impl Rating {
    /// A share in percent: 99.9, 99, 95.
    pub fn of_share(percent: f64) -> Self {
        Self::by([percent >= 99.9, percent >= 99.0, percent >= 95.0])
    }

    /// A median in milliseconds: 5, 20, 50.
    pub fn of_p50(ms: f64) -> Self {
        Self::by([ms < 5.0, ms < 20.0, ms < 50.0])
    }

    /// A 99th percentile in milliseconds: 50, 100, 200.
    pub fn of_p99(ms: f64) -> Self {
        Self::by([ms < 50.0, ms < 100.0, ms < 200.0])
    }

    /// In English and Chinese.
    pub fn words(self) -> [&'static str; 2] {
        match self {
            Self::Excellent => ["excellent", "优秀"],
            Self::Good => ["good", "良好"],
            Self::Poor => ["needs work", "需优化"],
            Self::Bad => ["bad", "异常"],
        }
    }

    fn by([excellent, good, poor]: [bool; 3]) -> Self {
        match (excellent, good, poor) {
            (true, ..) => Self::Excellent,
            (_, true, _) => Self::Good,
            (_, _, true) => Self::Poor,
            _ => Self::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_guide() {
        let shares = [100.0, 99.9, 99.89, 99.0, 98.9, 95.0, 94.9].map(Rating::of_share);
        use Rating::*;
        assert_eq!(shares, [Excellent, Excellent, Good, Good, Poor, Poor, Bad]);
        assert_eq!([4.9, 5.0, 20.0, 50.0].map(Rating::of_p50), [Excellent, Good, Poor, Bad]);
        assert_eq!([49.9, 50.0, 100.0, 200.0].map(Rating::of_p99), [Excellent, Good, Poor, Bad]);
    }
}
