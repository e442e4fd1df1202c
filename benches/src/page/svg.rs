//! Pictures: bars of ratios.

use std::fmt::Write as _;

/// Bars from 0 on, with a line at 1, where both are as fast. Text stays text.
pub(super) fn bars(title: &str, bars: &[(String, f64)]) -> String {
    let (left, width, row, top) = (360.0, 480.0, 20.0, 40.0);
    let most = bars.iter().fold(1.5_f64, |most, bar| most.max(bar.1)).min(6.0);
    let x = |ratio: f64| left + width * ratio.min(most) / most;
    let height = top + row * bars.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"900\" height=\"{height:.0}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\">{}: ratio to the twin (less is faster)</text>\n",
        escaped(title)
    );
    for (number, (name, ratio)) in bars.iter().enumerate() {
        let y = top + row * number as f64;
        let colour = if *ratio <= 1.0 { "#009e73" } else { "#0072b2" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{left:.0}\" y=\"{:.0}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.0}\">{ratio:.2}</text>",
            left - 6.0,
            y + 12.0,
            escaped(name),
            y + 1.0,
            x(*ratio) - left,
            x(*ratio) + 4.0,
            y + 12.0
        );
    }
    let one = x(1.0);
    let _ =
        writeln!(svg, "<path d=\"M{one:.1} {:.0}V{height:.0}\" stroke=\"black\" stroke-dasharray=\"3\"/>", top - 6.0);
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_picture_has_a_bar_for_each_ratio() {
        let svg = bars("a < b", &[("one".into(), 0.8), ("two & a half".into(), 2.5)]);
        assert_eq!(svg.matches("height=\"14\"").count(), 2, "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains("two &amp; a half"), "{svg}");
    }
}
