//! Messages of both protocols, as tshark reads them, and what is malformed.

use super::*;
use crate::wire::Error;
use crate::wire::protocols::captured::hex;
use std::vec;
use std::vec::Vec;

pub(in crate::wire::protocols) const MESSAGE: &str = "000a 0084 6553f100 00000005 0000002a
    0002 001c 0100 0004 0008 0004 800c 0008 00007279 0052 ffff 0002 0004
    0003 0014 0101 0002 0001 0095 0004 0029 0008 0000
    0100 0034 c0000201 0000000000000007 04 65746830 00000064
              c0000202 0000000000000008 ff0005 7878787878 000000c8 000000
    0101 0010 00000001 0000000000000009";

pub(in crate::wire::protocols) const NETFLOW: &str = "0009 0004 000003e8 6553f100 00000001 00000007
    0000 0010 0104 0002 0008 0004 0002 0004
    0001 0018 0105 0004 0008 0001 0004 0029 0002 002a 0004 0000
    0104 000c 0a000001 00000003
    0105 0010 00000001 0002 00000003 0000";

const REVERSE: Element = Element { enterprise: 29_305, id: 12 };
const NAME: Element = Element::iana(82);

/// Learns the templates of a message, and lists the values of its records.
fn read<const N: usize>(message: &[u8], templates: &mut Templates<N, 4>) -> Vec<Vec<(Element, Vec<u8>)>> {
    let mut records = Vec::new();
    for set in Sets::of_message(message).unwrap().map(Result::unwrap) {
        for template in set.templates().map(Result::unwrap) {
            templates.learn(1, &template).unwrap();
        }
        for record in set.records(templates.find(1, set.id).unwrap_or(&[])).map(Result::unwrap) {
            records.push(record.values().map(|value| (value.element, value.bytes.to_vec())).collect());
        }
    }
    records
}

#[test]
fn a_message_is_read() {
    let mut templates = Templates::<4, 4>::new();
    let records = read(&hex(MESSAGE), &mut templates);
    let header = hex(MESSAGE);
    assert_eq!(Ipfix::parse(&header).map(|header| (header.domain(), header.sequence())), Ok((42, 5)));
    assert_eq!(records.len(), 3);
    assert_eq!(records[0][1], (REVERSE, 7_u64.to_be_bytes().to_vec()));
    assert_eq!(records[0][2], (NAME, b"eth0".to_vec()));
    assert_eq!(records[1][2..], [(NAME, b"xxxxx".to_vec()), (Element::PACKETS, [0, 0, 0, 200].to_vec())]);
    assert_eq!(records[2][1], (Element::iana(41), 9_u64.to_be_bytes().to_vec()));
    let length = |id, index: usize| templates.find(1, id).map(|fields| fields[index].length);
    assert_eq!((length(256, 2), length(257, 0)), (Some(Field::VARIABLE), Some(4)));
    assert_eq!(templates.find(2, 256), None);
}

#[test]
fn netflow_is_read() {
    let mut templates = Templates::<4, 4>::new();
    let records = read(&hex(NETFLOW), &mut templates);
    assert_eq!(records[0], [(Element::SOURCE_IPV4, [10, 0, 0, 1].to_vec()), (Element::PACKETS, [0, 0, 0, 3].to_vec())]);
    assert_eq!((records.len(), &records[1][1]), (2, &(Element::iana(41), [0, 2].to_vec())));
}

#[test]
fn templates_come_and_go() {
    let options = hex("0101 0002 0001 0095 0004 0029 0008");
    let data = hex("0100 0001 0008 0004 0200 0001 0008 0004");
    let withdraw = |text: &str, id| {
        let mut templates = Templates::<2, 2>::new();
        let learn = |templates: &mut Templates<2, 2>, id, body: &[u8]| {
            for template in (Set { id, body, format: Format::Ipfix }).templates() {
                templates.learn(1, &template.unwrap()).unwrap();
            }
        };
        learn(&mut templates, 2, &data[..8]);
        learn(&mut templates, 3, &options);
        learn(&mut templates, id, &hex(text));
        [256, 257, 512].map(|id| templates.find(1, id).is_some())
    };
    assert_eq!(withdraw("", 2), [true, true, false]);
    assert_eq!(withdraw("0100 0000", 2), [false, true, false]);
    assert_eq!(withdraw("0002 0000", 2), [false, true, false]);
    assert_eq!(withdraw("0003 0000", 3), [true, false, false]);
    // A third one takes the room of the first; a new one of the same number stays where it is.
    assert_eq!(withdraw("0200 0001 0008 0004", 2), [false, true, true]);
    assert_eq!(withdraw("0100 0001 0008 0002", 2), [true, true, false]);
    let long = Set { id: 2, body: &hex("0100 0003 000100040002000400030004"), format: Format::Ipfix };
    let template = long.templates().next().unwrap().unwrap();
    assert_eq!(Templates::<2, 2>::new().learn(1, &template), Err(Error));
}

#[test]
fn what_is_malformed_is_an_error_once() {
    let set = |id, text| -> Vec<bool> {
        let body = hex(text);
        (Set { id, body: &body, format: Format::Ipfix }).templates().map(|template| template.is_ok()).collect()
    };
    assert_eq!(set(2, "0100 0002 0008 0004 0009"), [false]);
    assert_eq!(set(2, "0100 0001 8008 0004 0000"), [false]);
    assert_eq!(set(2, "00ff 0001 0008 0004"), [false]);
    assert_eq!(set(3, "0100 0001"), [false]);
    // Options without a scope, or with more of it than there are fields.
    assert_eq!((set(3, "0100 0001 0000 00080004"), set(3, "0100 0001 0002 00080004")), (vec![false], vec![false]));
    assert_eq!(set(3, "0100 0001 0001 00080004"), [true]);
    assert_eq!(set(2, "0100 0001 0008 0004 000000"), [true]);
    let sets = |text| -> Vec<bool> { Sets::new(&hex(text), Format::Ipfix).map(|set| set.is_ok()).collect() };
    assert_eq!((sets("0100 0003 0000"), sets("0100 0004 0100 0009 00")), (vec![false], vec![true, false]));
    let variable = [Field::new(NAME, Field::VARIABLE)];
    let records = |fields: &[Field], text: &str| -> Vec<bool> {
        Records::new(&hex(text), fields).map(|record| record.is_ok()).collect()
    };
    assert_eq!(records(&variable, "0161 ff000102 0261"), [true, true, false]);
    assert_eq!(records(&variable, "00 ff00"), [true, false]);
    assert_eq!((records(&[], "00"), records(&[Field::new(NAME, 0)], "00")), (Vec::new(), Vec::new()));
    assert!(Sets::of_message(&hex(MESSAGE)[..131]).is_err());
}

#[test]
fn what_is_written_is_read() {
    let mut bytes = [0; 400];
    let fields = [Field::new(REVERSE, 8), Field::new(NAME, Field::VARIABLE)];
    let mut writer = Writer::new(&mut bytes, &Ipfix::default()).unwrap();
    assert_eq!((writer.template(255, &fields), writer.template(256, &[])), (Err(Error), Err(Error)));
    assert_eq!(writer.value(&[0]), Err(Error));
    writer.template(256, &fields).unwrap();
    writer.data_set(256).unwrap();
    for name in [&b"a"[..], &[b'x'; 300]] {
        writer.value(&7_u64.to_be_bytes()).unwrap();
        writer.variable_value(name).unwrap();
    }
    let whole = writer.len();
    writer.value(&[0; 8]).unwrap();
    assert_eq!(writer.variable_value(&[0; 100]), Err(Error));
    writer.truncate(whole);
    assert_eq!(writer.template(257, &[Field::default(); 20]), Err(Error));
    let len = writer.finish();
    assert_eq!(len, whole);
    let records = read(&bytes[..len], &mut Templates::<1, 4>::new());
    assert_eq!(records.iter().map(|record| record[1].1.len()).collect::<Vec<_>>(), [1, 300]);
}

#[test]
fn a_number_has_eight_bytes_at_most() {
    let number = |bytes| Value { element: NAME, bytes }.number();
    assert_eq!((number(&[1, 0]), number(&[]), number(&[255; 8])), (Some(256), Some(0), Some(u64::MAX)));
    assert_eq!(number(&[0; 9]), None);
}
