//! The peers: the kernel's stack and well-known programs, with what they report put into numbers.

use super::frames::{Frame, pcap_read, pcap_write};
use super::{Job, Namespace, wait_until};
use serde_json::Value;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What `ping` counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pings {
    /// Echo requests sent.
    pub(crate) sent: u64,
    /// Echo requests answered.
    pub(crate) answered: u64,
}

/// What `iperf3` measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IperfResult {
    /// Mbit/s that arrived.
    pub(crate) mbps: f64,
    /// Datagrams that the sender sent; 0 with TCP.
    pub(crate) sent: u64,
    /// Datagrams that did not arrive, by the receiver's count.
    pub(crate) lost: u64,
}

/// How `iperf3` sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// That many TCP connections, as fast as it goes.
    Tcp(u32),
    /// Datagrams of 1,400 bytes at that many Mbit/s; 0 means as fast as it goes.
    Udp(u32),
}

/// A running `dumpcap` on an interface.
pub(crate) struct Capture {
    job: Job,
    file: PathBuf,
}

impl Namespace<'_> {
    /// Sends `count` echo requests to `target` 2 ms apart, with further arguments of `fping`, which waits 2 s for each answer.
    /// (`ping` waits for its last ones only twice as long as one has ever taken: on a busy machine it ends too early.)
    pub(crate) fn ping(&self, target: &str, count: u64, further: &str) -> Pings {
        let arguments = format!("-q -c {count} -p 2 -i 1 -t 2000 {further} {target}");
        let finished = self.run("fping", &arguments, Duration::from_secs(30 + count / 50));
        pings_in(&finished.err)
            .unwrap_or_else(|| panic!("`{}` reported nothing:\n{}{}", finished.name, finished.out, finished.err))
    }

    /// Waits until `target` answers echo requests.
    pub(crate) fn wait_for_answer(&self, target: &str) {
        wait_until(&format!("{target} answered"), Duration::from_secs(20), || {
            self.run("ping", &format!("-n -q -c 1 -W 1 {target}"), Duration::from_secs(5)).status.success()
        });
    }

    /// Sends frames through an interface, byte for byte, at that many a second.
    pub(crate) fn replay(&self, device: &str, frames: &[Frame], rate: u32) {
        let file = self.lab().path(&format!("replay-{device}.pcap"));
        pcap_write(&file, frames);
        let arguments = format!("--quiet --intf1={device} --pps={rate} {}", file.display());
        let report = self.run("tcpreplay", &arguments, Duration::from_secs(30)).expect_success();
        let failed = report.lines().find_map(|line| line.trim().strip_prefix("Failed packets:"));
        assert_eq!(failed.map(str::trim), Some("0"), "tcpreplay sends every frame: {report}");
    }

    /// Starts to record what an interface sees, as far as `filter` (of pcap-filter(7)) lets it through, until `count` frames
    /// were recorded or [`Capture::stop`]. Not for filters by direction: libpcap drops what comes first with these.
    pub(crate) fn capture(&self, device: &str, filter: &str, count: usize) -> Capture {
        let file = self.lab().path(&format!("capture-{device}.pcap"));
        let mut command = self.command("dumpcap");
        command.args(["-q", "-P", "-B", "16", "-i", device, "-f", filter, "-c", &count.to_string(), "-w"]).arg(&file);
        let mut job = self.start_command(command);
        // `dumpcap` names its file when the interface is open.
        job.wait_for_output("File:");
        Capture { job, file }
    }

    /// Runs an iperf3 client here against a server of its own in `server`, which has `address`, for a second.
    pub(crate) fn iperf(&self, server: &Namespace<'_>, address: &str, load: Load) -> IperfResult {
        let mut daemon = server.start("iperf3", "--server --one-off --forceflush");
        daemon.wait_for_output("listening");
        let how = match load {
            Load::Tcp(connections) => format!("--parallel {connections}"),
            Load::Udp(mbps) => format!("--udp --length 1400 --bitrate {mbps}M"),
        };
        let arguments = format!("--client {address} --json --time 1 --connect-timeout 5000 {how}");
        let text = self.run("iperf3", &arguments, Duration::from_secs(30)).expect_success();
        daemon.wait(Duration::from_secs(10)).expect_success();
        let report: Value = serde_json::from_str(&text).expect("`iperf3 --json` writes JSON");
        let end = &report["end"];
        let (received, count) = match load {
            Load::Tcp(_) => (&end["sum_received"], &Value::Null),
            Load::Udp(_) => (&end["sum"], &end["sum"]),
        };
        IperfResult {
            mbps: received["bits_per_second"].as_f64().expect("iperf3's rate") / 1e6,
            sent: count["packets"].as_u64().unwrap_or(0),
            lost: count["lost_packets"].as_u64().unwrap_or(0),
        }
    }
}

impl Capture {
    /// The frames that were to be recorded, or those that were when `limit` was over.
    pub(crate) fn frames(mut self, limit: Duration) -> Vec<Frame> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline && self.job.is_running() {
            sleep(Duration::from_millis(10));
        }
        pcap_read(&self.stop())
    }

    /// Ends the recording and returns its file, in which nothing is missing.
    pub(crate) fn stop(mut self) -> PathBuf {
        if self.job.is_running() {
            // What has arrived gets the time to be written: dumpcap looks four times a second.
            sleep(Duration::from_millis(600));
            self.job.signal("INT");
        }
        let report = self.job.wait(Duration::from_secs(10)).err;
        // "Packets received/dropped on interface 'x': 6/0 (...)"
        let counts = report.lines().find_map(|line| line.strip_prefix("Packets received/dropped on"));
        assert!(counts.is_some_and(|counts| counts.contains("/0 ")), "dumpcap lost packets: {report}");
        self.file
    }
}

/// Starts the web server of Python in `namespace`, with the lab's directory as its content.
pub(crate) fn web_server(namespace: &Namespace<'_>, address: &str) -> Job {
    let mut job = namespace.start("python3", &format!("-u -m http.server --bind {address} 8080"));
    job.wait_for_output("Serving");
    job
}

/// Starts a name server in `namespace` that knows one name.
pub(crate) fn name_server(namespace: &Namespace<'_>, address: &str, name: &str, answer: &str) -> Job {
    let arguments = format!(
        "--keep-in-foreground --log-facility=- --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --user= --group= \
         --listen-address={address} --bind-interfaces --address=/{name}/{answer}"
    );
    let mut job = namespace.start("dnsmasq", &arguments);
    job.wait_for_output("started");
    job
}

/// The counts in what `fping -q` prints: "10.1.0.1 : xmt/rcv/%loss = 20/20/0%, min/avg/max = 0.018/0.029/0.151".
fn pings_in(text: &str) -> Option<Pings> {
    let (_, counts) = text.split_once("xmt/rcv/%loss = ")?;
    let mut numbers = counts.split('/').map(|part| part.parse().ok());
    Some(Pings { sent: numbers.next()??, answered: numbers.next()?? })
}
