//! Unsigned numbers of the domain against SQLite's signed ones.
//!
//! A number that is written is converted by the driver, which refuses one that does
//! not fit (feature `fallible_uint`). What is here is for numbers that are only looked
//! for: they may come from a client, so that an absurd one has to find nothing rather
//! than be an error.

/// A number to look for. One that can't have been stored becomes one that never is.
pub(super) fn key(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(-1)
}

/// The end of a range. Nothing is stored beyond the largest one.
pub(super) fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_can_not_be_stored_are_not_found_and_end_ranges() {
        assert_eq!((key(7), bound(7)), (7, 7));
        assert_eq!((key(u64::MAX), bound(u64::MAX)), (-1, i64::MAX));
    }
}
