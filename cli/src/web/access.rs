//! Who may ask: whoever has the token, and comes by a page of ours.

use super::problem::Problem;
use anyhow::{Context, Result};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, Semaphore};

/// Bytes of a token, and of what a cookie holds.
const BYTES: usize = 32;
/// How long the answer to a wrong token takes; one is answered after the other.
const WRONG: Duration = Duration::from_millis(500);
/// Wrong tokens that may wait for their answers. Those beyond are refused at once.
const WAITING: usize = 4;

/// Secrets of this process, and where its page is.
pub(super) struct Access {
    token: String,
    /// What the cookie holds. Another one than the token, which thus is on no disk of the browser's.
    session: String,
    /// The cookie's name. Cookies know no ports, so the name does: two pages of one machine have one each.
    cookie: String,
    address: SocketAddr,
    /// What a proxy in front of this server is called in the browser.
    origin: Option<String>,
    wrong: AtomicU64,
    waiting: Semaphore,
    turn: Mutex<()>,
}

impl Access {
    /// New secrets for a page at that address.
    pub(super) fn new(address: SocketAddr, origin: Option<&str>) -> Result<Self> {
        let is_secure = origin.is_some_and(|origin| origin.starts_with("https://"));
        let prefix = if is_secure { "__Host-" } else { "" };
        Ok(Self {
            token: secret()?,
            session: secret()?,
            cookie: format!("{prefix}perigee-{}", address.port()),
            address,
            origin: origin.map(str::to_owned),
            wrong: AtomicU64::new(0),
            waiting: Semaphore::new(WAITING),
            turn: Mutex::new(()),
        })
    }

    /// What opens the page.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The page with its token, which a browser sends to nobody: it is behind the #.
    pub(super) fn url(&self) -> String {
        let own = format!("http://{}", self.address);
        format!("{}/#token={}", self.origin.as_ref().unwrap_or(&own), self.token)
    }

    /// How many wrong tokens have come.
    pub(super) fn wrong(&self) -> u64 {
        self.wrong.load(Ordering::Relaxed)
    }

    /// Whether a request is meant for this server and comes from no page of others. A name that somebody else's DNS has led here is
    /// not ours; an address cannot be led anywhere.
    pub(super) fn check_place(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let of = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = of(header::HOST).unwrap_or_default();
        if !self.is_host(host) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "the page is not at this name",
                "use the address that was printed; a proxy's own name is told by --origin or web_origin",
            ));
        }
        let own = format!("http://{host}");
        let is_ours = |origin: &str| origin == own || self.origin.as_deref() == Some(origin);
        if of(header::ORIGIN).is_some_and(|origin| !is_ours(origin)) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "another page asks", "only this server's own page may"));
        }
        Ok(())
    }

    fn is_host(&self, host: &str) -> bool {
        let proxy = self.origin.as_deref().and_then(|origin| origin.split_once("://"));
        if proxy.is_some_and(|(_, name)| name == host) {
            return true;
        }
        let is_port = |text: &str| text.parse::<u16>().is_ok();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => host,
        };
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        name == "localhost" || name.parse::<IpAddr>().is_ok()
    }

    /// Whether a request has the cookie.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie && is_same(value, &self.session))
    }

    /// The cookie for whoever has the token. Who has a wrong one waits for the answer, behind others who have.
    pub(super) async fn enter(&self, token: &str) -> Result<String, Problem> {
        if is_same(token, &self.token) {
            return Ok(self.cookie_text(&self.session, ""));
        }
        self.wrong.fetch_add(1, Ordering::Relaxed);
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens", "try again in a moment"));
        };
        let _turn = self.turn.lock().await;
        tokio::time::sleep(WRONG).await;
        let hint =
            "the run's process has printed the right address, and the token is in a file beside its control socket";
        Err(Problem::new(StatusCode::UNAUTHORIZED, "the token is wrong", hint))
    }

    /// A cookie that takes the place of the one that was given, and is over at once.
    pub(super) fn farewell(&self) -> String {
        self.cookie_text("", "; Max-Age=0")
    }

    fn cookie_text(&self, value: &str, more: &str) -> String {
        let secure = if self.cookie.starts_with("__Host-") { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", self.cookie)
    }
}

/// Compares without telling by its time how much of it is right.
fn is_same(given: &str, own: &str) -> bool {
    given.as_bytes().ct_eq(own.as_bytes()).into()
}

/// Bits from the system that nobody can guess.
fn secret() -> Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).context("random bits of the system")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod test {
    use super::*;
    use axum::http::HeaderValue;

    fn access(origin: Option<&str>) -> Access {
        Access::new("127.0.0.1:8080".parse().unwrap(), origin).unwrap()
    }

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_token_has_256_bits_and_no_two_are_the_same() {
        let [first, second] = [access(None), access(None)];
        assert_eq!((first.token.len(), first.session.len()), (43, 43));
        assert!(first.token != second.token && first.token != first.session);
        assert_eq!(first.url(), format!("http://127.0.0.1:8080/#token={}", first.token));
    }

    #[test]
    fn only_addresses_and_the_proxys_name_are_ours() {
        let access = access(Some("https://perigee.example.org"));
        for host in
            ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "192.0.2.7", "[2001:db8::1]", "perigee.example.org"]
        {
            assert!(access.check_place(&headers(&[(header::HOST, host)])).is_ok(), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8080",
            "perigee.example.org:1",
            "a:b:c",
        ] {
            assert!(access.check_place(&headers(&[(header::HOST, host)])).is_err(), "{host}");
        }
        assert!(access.check_place(&HeaderMap::new()).is_err());
    }

    #[test]
    fn other_pages_are_refused() {
        let access = access(Some("https://perigee.example.org"));
        let of = |origin| {
            access.check_place(&headers(&[(header::HOST, "127.0.0.1:8080"), (header::ORIGIN, origin)])).is_ok()
        };
        assert!(of("http://127.0.0.1:8080") && of("https://perigee.example.org"));
        for origin in ["null", "", "http://127.0.0.1:9999", "https://127.0.0.1:8080", "http://perigee.example.org"] {
            assert!(!of(origin), "{origin}");
        }
    }

    #[test]
    fn a_cookie_is_looked_for_among_others() {
        let access = access(None);
        let of = |text: &str| access.is_known(&headers(&[(header::COOKIE, text)]));
        let right = format!("perigee-8080={}", access.session);
        assert!(of(&right) && of(&format!("a=b; {right}")) && of(&format!("perigee-8080=x; {right}")));
        assert!(!of("perigee-8080=") && !of(&format!("perigee-8081={}", access.session)));
        assert!(!of(&format!("perigee-8080={}", access.token)), "the token is no cookie");
        let secure = self::access(Some("https://a.example")).cookie_text("x", "");
        assert_eq!(secure, "__Host-perigee-8080=x; Path=/; HttpOnly; SameSite=Strict; Secure");
    }
}
