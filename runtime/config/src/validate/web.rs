//! The page for browsers.

use super::Problems;
use crate::Config;
use crate::values::parse_origin;

/// What the word in place of a control socket's path means.
const OFF: &str = "off";

pub(super) fn web(config: &Config, found: &mut Problems) {
    let run = &config.run;
    if let Some(Err(what)) = run.web_origin.as_deref().map(parse_origin) {
        found.error("run.web_origin", what, "it is where browsers find the proxy that stands in front of `web`");
    }
    let Some(address) = run.web else {
        let without = [("web_insecure", run.web_insecure), ("web_control", run.web_control)]
            .into_iter()
            .chain([("web_origin", run.web_origin.is_some())])
            .filter(|(_, is_set)| *is_set);
        for (key, _) in without {
            found.error(format!("run.{key}"), format!("`{key}` without `web`"), "there is no page: set `web` as well");
        }
        return;
    };
    if !address.ip().is_loopback() && !run.web_insecure {
        let what = format!("web: {address} can be reached from other machines, and what goes there is not encrypted");
        let help =
            "listen on 127.0.0.1 and put a proxy with TLS in front of it (docs/web.md), or set web_insecure = true";
        found.error("run.web", what, help);
    }
    if run.control.as_deref() == Some(OFF) {
        let help = "the page's process asks the run by that socket: leave `control` out, or name a path";
        found.error("run.web", "web: the run has no control socket", help);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn told(run: &str) -> Vec<String> {
        let config: Config = toml::from_str(&format!("[run]\n{run}\n")).unwrap();
        let mut found = Problems::default();
        web(&config, &mut found);
        found.0.iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect()
    }

    #[test]
    fn a_page_is_for_this_machine_unless_somebody_says_otherwise() {
        for fine in ["web = \"8080\"", "web = \"[::1]:0\"", "web = \"0.0.0.0:80\"\nweb_insecure = true", ""] {
            assert_eq!(told(fine), [""; 0], "{fine}");
        }
        let [wrong] = &told("web = \"192.0.2.1:8080\"")[..] else { panic!("one problem") };
        assert!(wrong.starts_with("run.web: web: 192.0.2.1:8080 can be reached from other machines"), "{wrong}");
    }

    #[test]
    fn what_needs_a_page_or_a_socket_is_told() {
        assert_eq!(told("web_control = true"), ["run.web_control: `web_control` without `web`"]);
        assert_eq!(told("web = \"8080\"\ncontrol = \"off\""), ["run.web: web: the run has no control socket"]);
        for wrong in ["example.org", "https://example.org/", "https://EXAMPLE.org", "ftp://a", "https://"] {
            let told = told(&format!("web = \"8080\"\nweb_origin = \"{wrong}\""));
            assert!(told.len() == 1 && told[0].contains("begins with"), "{wrong}: {told:?}");
        }
        assert_eq!(told("web = \"8080\"\nweb_origin = \"https://example.org:8443\""), [""; 0]);
    }
}
