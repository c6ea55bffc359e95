//! Durations and shares in the words of the source document.

/// A duration in its two largest units, or in its only one: `850ms`, `38s`, `2m 5s`, `1h 3m`, `2d 4h`.
pub(super) fn duration(ms: f64) -> String {
    let ms = whole(ms);
    if ms < 1000 {
        return format!("{ms}ms");
    }
    // Rounded once, so that no part can round up to a whole of the next.
    let seconds = (ms + 500) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => two(minutes, 'm', seconds % 60, 's'),
        (0, _, _) => two(hours, 'h', minutes % 60, 'm'),
        _ => two(days, 'd', hours % 24, 'h'),
    }
}

fn two(large: u64, large_unit: char, small: u64, small_unit: char) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit} {small}{small_unit}") }
}

/// A share from 0 to 1 in percent, to one decimal: `99.8%`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn whole(ms: f64) -> u64 {
    // A cast of a float saturates, and what is no number becomes 0.
    ms.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_the_largest_sensible_units() {
        let table = [
            (0.0, "0ms"),
            (0.4, "0ms"),
            (850.2, "850ms"),
            (999.4, "999ms"),
            (999.6, "1s"),
            (38_000.0, "38s"),
            (38_500.0, "39s"),
            (59_499.0, "59s"),
            (59_500.0, "1m"),
            (125_000.0, "2m 5s"),
            (3_599_600.0, "1h"),
            (3_780_000.0, "1h 3m"),
            (86_400_000.0, "1d"),
            (187_200_000.0, "2d 4h"),
        ];
        for (ms, words) in table {
            assert_eq!(duration(ms), words, "{ms}");
        }
    }

    #[test]
    fn a_share_has_one_decimal() {
        assert_eq!(percent(1250.0 / 1252.0), "99.8%");
        assert_eq!(percent(1.0), "100.0%");
        assert_eq!(percent(0.0), "0.0%");
    }
}
