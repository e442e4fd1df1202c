use super::*;
use perigee_guest::testing::Host;

fn burst(n: u8) -> Vec<Vec<u8>> {
    (0..n).map(|i| vec![i; 60]).collect()
}

#[test]
fn a_short_burst_goes_on_at_once_and_of_a_long_one_the_rest_waits() {
    let mut host = Host::<Smooth>::start("").unwrap();
    let gone = host.process(burst(32)).iter().filter(|output| output.verdict == Verdict::NEXT).count();
    assert_eq!((gone, host.held()), (32, 0));
    host.process(burst(40));
    assert_eq!(host.held(), 8);
    host.tick();
    assert_eq!(host.held(), 0);
}
