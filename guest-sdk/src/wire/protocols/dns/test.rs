//! A response with all known types of records, as tshark reads it, and what is malformed.

use super::*;
use crate::wire::protocols::captured::hex;
use std::string::ToString as _;
use std::vec::Vec;

pub(in crate::wire::protocols) const RESPONSE: &str = "
    1234 8180 0001 0006 0001 0001 03777777076578616d706c65036f726700 0001 0001
    c00c 0005 0001 0000012c 0006 03776562c010
    c02d 0001 0001 0000003c 0004 c0000207
    c010 001c 0001 0000003c 0010 20010db8000000000000000000000007
    c010 000f 0001 00000009 0009 000a 046d61696cc010
    c010 0010 0001 00000005 000c 06763d73706631 042d616c6c
    045f736970045f756470c010 0021 0001 00000004 000c 0001 0002 13c4 03736970c010
    c010 0006 0001 00000003 0022 036e7331c010 0561646d696ec010 000007e8 00001c20 00000384 00015180 0000003c
    00 0029 04d0 00008000 000c 000a 0008 0102030405060708";

/// The data of all records, as text.
fn data(message: &Message<'_>) -> Vec<std::string::String> {
    message.records().map(|record| std::format!("{:?}", record.and_then(|record| record.data()))).collect()
}

#[test]
fn all_sections_are_read() {
    let bytes = hex(RESPONSE);
    let message = Message::parse(&bytes).unwrap();
    let header = message.header();
    assert!(header.response() && header.recursion_desired() && header.recursion_available() && !header.truncated());
    let question = message.questions().next().unwrap().unwrap();
    assert_eq!((question.name.to_string(), question.kind), ("www.example.org".into(), Dns::TYPE_A));
    assert_eq!(message.questions().count(), 1);
    let soa = "Ok(Soa { primary: ns1.example.org, mailbox: admin.example.org, serial: 2024, refresh: 7200, retry: 900, \
               expire: 86400, minimum: 60 })";
    let all = data(&message);
    assert_eq!(all[..2], ["Ok(Cname(web.example.org))", "Ok(A(192.0.2.7))"]);
    assert_eq!(all[2..4], ["Ok(Aaaa(2001:db8::7))", "Ok(Mx { preference: 10, exchange: mail.example.org })"]);
    assert_eq!(all[5], "Ok(Srv { priority: 1, weight: 2, port: 5060, target: sip.example.org })");
    assert_eq!(all[6], soa);
    let records: Vec<_> = message.records().map(Result::unwrap).collect();
    let Data::Txt(texts) = records[4].data().unwrap() else { panic!("{:?}", records[4]) };
    assert_eq!(texts.collect::<Vec<_>>(), [&b"v=spf1"[..], b"-all"]);
    assert_eq!((records[5].name.to_string(), records[5].ttl), ("_sip._udp.example.org".into(), 4));
    let sections: Vec<_> = records.iter().map(|record| record.section).collect();
    assert_eq!(sections[5..], [Section::Answer, Section::Authority, Section::Additional]);
    let edns = message.edns().unwrap();
    assert_eq!((edns.udp_size, edns.version, edns.dnssec_ok), (1232, 0, true));
    assert_eq!(edns.options().find_kind(10), Ok(Some(&[1, 2, 3, 4, 5, 6, 7, 8][..])));
}

#[test]
fn what_is_cut_off_is_an_error_once() {
    let bytes = hex(RESPONSE);
    for len in 12..bytes.len() {
        let message = Message::parse(&bytes[..len]).unwrap();
        let records: Vec<_> = message.records().collect();
        assert!(records.last().unwrap().is_err(), "{len}");
        assert_eq!(records.iter().filter(|record| record.is_err()).count(), 1, "{len}");
    }
    assert!(Message::parse(&bytes[..11]).is_err());
}

#[test]
fn pointers_lead_backwards_only() {
    // To itself, forwards, into each other, and a label that runs into the pointer to it.
    for (text, start) in [("c000", 0), ("c002 00", 0), ("c002 c000", 0), ("c002 c000", 2), ("0161 c000", 2)] {
        assert!(Name::read(&hex(text), start).is_err(), "{text} {start}");
    }
    // Each points to the one before it, the first to the end of a name.
    let targets = [0].into_iter().chain((0..130).map(|index| 2 * index + 1));
    let chain: Vec<u8> = [0].into_iter().chain(targets.flat_map(|at: u16| (0xc000 | at).to_be_bytes())).collect();
    assert_eq!(Name::read(&chain, 1 + 2 * 126), Ok((Name::ROOT, 1 + 2 * 127)));
    assert!(Name::read(&chain, 1 + 2 * 127).is_err());
    assert!(Name::read(&[0x40, 0], 0).is_err() && Name::read(&[0x80, 0], 0).is_err());
}

#[test]
fn names_have_255_bytes_at_most() {
    let label = [&[62][..], &[b'a'; 62]].concat();
    let good = [label.repeat(4), std::vec![1, b'b', 0]].concat();
    assert_eq!(good.len(), MAX_NAME);
    let (name, end) = Name::read(&good, 0).unwrap();
    let mut room = [0; MAX_NAME];
    assert_eq!((end, name.canonical(&mut room), room.to_vec()), (MAX_NAME, MAX_NAME, good));
    assert!(Name::read(&[label.repeat(4), std::vec![2, b'b', b'b', 0]].concat(), 0).is_err());
}

#[test]
fn names_compare_by_labels_and_without_case() {
    let bytes = hex("034177570341 2e42 00 0161032e5c20 00");
    let (name, end) = Name::read(&bytes, 0).unwrap();
    assert_eq!(name.to_string(), "AwW.A\\.B");
    assert!(!name.is("aww.a.b") && name.is_within("") && !name.is_within("a.b") && !name.is("aww"));
    let (other, _) = Name::read(&bytes, end).unwrap();
    assert_eq!(other.to_string(), "a.\\.\\\\\\032");
    assert!(name != other && Name::ROOT.is(".") && Name::ROOT.to_string() == ".");
    let (name, _) = Name::read(b"\x03wWw\x07Example\x03org\0", 0).unwrap();
    assert!(name.is("www.example.ORG.") && name.is_within("example.org") && name.is_within("www.example.org"));
    assert!(!name.is_within("xample.org") && !name.is_within("a.www.example.org"));
}

#[test]
fn what_is_written_is_as_short_as_others_write_it() {
    let bytes = hex(RESPONSE);
    let message = Message::parse(&bytes).unwrap();
    let mut copy = [0; 512];
    let mut writer = Writer::new(&mut copy, message.header()).unwrap();
    for question in message.questions().map(Result::unwrap) {
        writer.question(question.name, question.kind, question.class).unwrap();
    }
    for record in message.records().map(Result::unwrap) {
        let fill = |data: &mut Rdata<'_, '_>| match record.data()? {
            Data::Cname(name) => data.name(name),
            Data::Mx { preference, exchange } => {
                data.bytes(&preference.to_be_bytes())?;
                data.name(exchange)
            }
            Data::Soa { primary, mailbox, .. } => {
                data.name(primary)?;
                data.name(mailbox)?;
                data.bytes(&record.bytes[record.bytes.len() - 20..])
            }
            Data::Srv { target, .. } => {
                data.bytes(&record.bytes[..6])?;
                data.name(target)
            }
            _ => data.bytes(record.bytes),
        };
        writer.record(record.section, record.name, record.kind, record.class, record.ttl, fill).unwrap();
    }
    let len = writer.len();
    assert_eq!(copy[..len], bytes);
}

#[test]
fn what_has_no_room_is_not_written() {
    let mut bytes = [0xff; 12 + 17 + 16 + 10];
    let mut writer = Writer::new(&mut bytes, &Dns::default()).unwrap();
    writer.question("a.example.org", Dns::TYPE_A, Dns::CLASS_IN).unwrap();
    assert_eq!(writer.question("b..example.org", 1, 1), Err(Error));
    assert_eq!(writer.question("x".repeat(64).as_str(), 1, 1), Err(Error));
    writer.address(Section::Answer, "a.example.org", 1, [10, 0, 0, 1].into()).unwrap();
    let len = writer.len();
    assert_eq!(writer.address(Section::Answer, "a.example.org", 1, [10, 0, 0, 2].into()), Err(Error));
    assert_eq!((writer.question("c", 1, 1), writer.len()), (Err(Error), len));
    writer.header_mut().unwrap().set_truncated(true);
    let message = Message::parse(&bytes[..len]).unwrap();
    assert_eq!(data(&message), ["Ok(A(10.0.0.1))"]);
    assert!(message.header().truncated() && message.header().question_count() == 1);
}

#[test]
fn a_stream_is_cut_into_messages() {
    let bytes = hex(&std::format!("00f3 {RESPONSE} 0001"));
    let first = DnsTcp::parse(&bytes).unwrap();
    assert_eq!((first.payload.len(), first.next(first.payload)), (243, Next::Header(&Dns::INFO)));
    assert!(DnsTcp::parse(&bytes[..244]).is_err() && DnsTcp::parse(&bytes[245..]).is_err());
}
