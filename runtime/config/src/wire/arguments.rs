//! The arguments of a wire, one by one.

use super::{Limit, Loss, Red};
use crate::values::{parse_rate, parse_size};

/// What is wrong with an argument, and what to do.
pub(super) type Wrong = (String, String);

pub(super) fn rate(value: &str) -> Result<u64, Wrong> {
    let rate = parse_rate(value).map_err(|what| (format!("rate: {what}"), "bits per second, as in 10G".to_owned()))?;
    if rate == 0 {
        let help = "leave rate away for a wire without a limit, or take the link down for a while";
        return Err(("rate is 0: nothing would ever arrive".to_owned(), help.to_owned()));
    }
    Ok(rate)
}

/// A part of the whole: `0.1%`, or `0.001`.
pub(crate) fn probability(key: &str, value: &str) -> Result<f64, Wrong> {
    let (number, whole) = value.strip_suffix('%').map_or((value, 1.0), |number| (number, 100.0));
    let part = number.trim().parse::<f64>().map(|number| number / whole);
    let wrong = || (format!("{key} = {value:?} is no part of the packets"), "0% to 100%, as in 0.1%".to_owned());
    part.ok().filter(|part| (0.0..=1.0).contains(part)).ok_or_else(wrong)
}

/// As netem writes it: `p/r`, or `p/r/1-h/1-k`.
pub(super) fn gilbert_elliott(key: &str, value: &str) -> Result<Loss, Wrong> {
    let parts = value.split('/').map(|part| probability(key, part)).collect::<Result<Vec<_>, _>>()?;
    match parts[..] {
        [to_bad, to_good] => Ok(Loss::GilbertElliott { to_bad, to_good, in_bad: 1.0, in_good: 0.0 }),
        [to_bad, to_good, in_bad, in_good] => Ok(Loss::GilbertElliott { to_bad, to_good, in_bad, in_good }),
        _ => Err((
            format!("{key} = {value:?} has not two or four parts"),
            "good to bad/bad to good, then the loss while bad/while good if they are not 100%/0%: gemodel=1%/10%"
                .to_owned(),
        )),
    }
}

pub(super) fn yes(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

pub(super) fn limit(value: &str) -> Option<Limit> {
    let limit = match value.parse() {
        Ok(packets) => Limit::Packets(packets),
        Err(_) => Limit::Bytes(parse_size(value).ok()?),
    };
    (!matches!(limit, Limit::Packets(0) | Limit::Bytes(0))).then_some(limit)
}

pub(super) fn red(value: &str) -> Result<Red, Wrong> {
    let wrong = || {
        let help = "mean lengths between which it drops, and the probability at the upper one: red=20/60/10%; the weight of the \
                    newest length may follow (0.002)";
        (format!("red = {value:?} is not understood"), help.to_owned())
    };
    let parts: Vec<&str> = value.split('/').collect();
    let length = |text: &str| text.parse::<f64>().ok().filter(|length| *length >= 0.0 && length.is_finite());
    let (least, most, chance, weight) = match parts[..] {
        [least, most, chance] => (least, most, chance, "0.002"),
        [least, most, chance, weight] => (least, most, chance, weight),
        _ => return Err(wrong()),
    };
    let (least, most) = length(least).zip(length(most)).filter(|(least, most)| least < most).ok_or_else(wrong)?;
    Ok(Red { least, most, probability: probability("red", chance)?, weight: probability("red", weight)? })
}
