//! Names of the program's own code and its libraries', by their files: opened before the jail hides them, and read when all is over.

use flate2::read::ZlibDecoder;
use gimli::{DwarfSections, EndianSlice, LittleEndian};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{CompressionFormat, Object, ObjectSection, ObjectSymbol, SymbolKind};
use perigee_report::text;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Most characters of a function's name.
const NAME: usize = 160;
/// Most bytes of a name that a demangler reads.
const MOST_MANGLED: usize = 2048;
/// In paths of source files whose functions say little where they are part of another: the standard library's, other people's crates', and
/// steps of some instructions.
const STEPS: [&str; 4] = ["/rustc/", "/library/", "/registry/", "/runtime/core/"];
type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Sections<'a> = DwarfSections<Cow<'a, [u8]>>;

/// Where executable code of files is mapped.
#[derive(Debug, Default)]
pub(crate) struct Host {
    maps: Vec<Map>,
}

#[derive(Debug)]
struct Map {
    start: u64,
    end: u64,
    /// Where in the file it begins.
    offset: u64,
    name: String,
    /// `None`: what the kernel maps by itself.
    file: Option<Arc<File>>,
}

impl Host {
    /// Looks at what is mapped now, and opens its files.
    pub(crate) fn look() -> Self {
        let mut files = BTreeMap::new();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Self { maps: maps.lines().filter_map(|line| Map::read(line, &mut files)).collect() }
    }

    /// The functions that are active at each of these addresses: the outermost first, behind it those that the compiler has put into it.
    /// The name of the file, where that does not say.
    pub(crate) fn names(&self, addresses: &[u64]) -> HashMap<u64, Vec<String>> {
        let mut names = HashMap::new();
        let mut by_file: HashMap<&str, Vec<(u64, &Map)>> = HashMap::new();
        for address in addresses {
            let map = self.maps.iter().find(|map| (map.start..map.end).contains(address));
            match map {
                Some(map) => by_file.entry(&map.name).or_default().push((*address, map)),
                None => drop(names.insert(*address, vec!["unknown".to_owned()])),
            }
        }
        for (name, addresses) in by_file {
            let bytes = addresses.first().and_then(|(_, map)| map.bytes()).unwrap_or_default();
            let elf = ElfFile64::parse(bytes.as_slice()).ok();
            let sections = elf.as_ref().and_then(sections);
            let image = elf.as_ref().map(|elf| Image::of(elf, sections.as_ref()));
            for (address, map) in addresses {
                let found = image.as_ref().and_then(|image| {
                    let at = image.address(address - map.start + map.offset)?;
                    Some(image.functions(at)).filter(|functions| !functions.is_empty())
                });
                names.insert(address, found.unwrap_or_else(|| vec![text::line(name, text::NAME)]));
            }
        }
        names
    }
}

impl Map {
    /// A line of `maps`, where that is code: `start-end r-xp offset device inode path`.
    fn read(line: &str, files: &mut BTreeMap<String, Option<Arc<File>>>) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let is_code = words.next()?.as_bytes().get(2) == Some(&b'x');
        let offset = words.next()?;
        let path = words.nth(2).filter(|_| is_code)?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let file = files.entry(path.to_owned()).or_insert_with(|| File::open(path).ok().map(Arc::new)).clone();
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        Some(Self { start: number(start)?, end: number(end)?, offset: number(offset)?, name, file })
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let mut file: &File = self.file.as_ref()?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// What a file says of its lines, which may be compressed there.
fn sections<'a>(elf: &ElfFile64<'a>) -> Option<Sections<'a>> {
    let load = |id: gimli::SectionId| Ok::<_, gimli::Error>(section(elf, id.name()).unwrap_or_default());
    DwarfSections::load(load).ok()
}

fn section<'a>(elf: &ElfFile64<'a>, name: &str) -> Option<Cow<'a, [u8]>> {
    let found = elf.section_by_name(name)?.compressed_data().ok()?;
    match found.format {
        CompressionFormat::None => Some(found.data.into()),
        CompressionFormat::Zlib => {
            let mut bytes = Vec::new();
            ZlibDecoder::new(found.data).take(found.uncompressed_size).read_to_end(&mut bytes).ok()?;
            Some(bytes.into())
        }
        _ => None,
    }
}

/// What a file says of its functions.
struct Image<'a> {
    elf: &'a ElfFile64<'a>,
    lines: Option<addr2line::Context<Slice<'a>>>,
    /// Address, bytes, name, in the order of addresses.
    symbols: Vec<(u64, u64, &'a str)>,
}

impl<'a> Image<'a> {
    fn of(elf: &'a ElfFile64<'a>, sections: Option<&'a Sections<'a>>) -> Self {
        let borrow = |sections: &'a Sections<'a>| sections.borrow(|section| Slice::new(section, LittleEndian));
        let lines = sections.and_then(|sections| addr2line::Context::from_dwarf(borrow(sections)).ok());
        // What a library takes from others has no place in it.
        let functions = elf.symbols().chain(elf.dynamic_symbols());
        let functions = functions.filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition());
        let mut symbols: Vec<_> =
            functions.filter_map(|symbol| Some((symbol.address(), symbol.size(), symbol.name().ok()?))).collect();
        symbols.sort_unstable();
        Self { elf, lines, symbols }
    }

    /// The address that the file was linked for, of a place in it.
    fn address(&self, offset: u64) -> Option<u64> {
        let endian = self.elf.endian();
        self.elf.elf_program_headers().iter().find_map(|part| {
            let behind = offset.checked_sub(part.p_offset(endian))?;
            let is_there = part.p_type(endian) == object::elf::PT_LOAD && behind < part.p_filesz(endian);
            is_there.then(|| part.p_vaddr(endian) + behind)
        })
    }

    /// The function at an address, and behind it those of Perigee's own that the compiler has put into it.
    fn functions(&self, address: u64) -> Vec<String> {
        let before = self.symbols.partition_point(|(at, ..)| *at <= address).checked_sub(1);
        let symbol = before.and_then(|before| self.symbols.get(before));
        // Functions in assembly have no size.
        let symbol = symbol.filter(|(at, size, _)| *size == 0 || address - at < *size);
        let mut names: Vec<String> = symbol.map(|(.., name)| readable(name)).into_iter().collect();
        let inlined = self.inlined(address).unwrap_or_default();
        // The outermost is the function itself, whose symbol says more.
        names.extend(inlined.into_iter().rev().skip(1).flatten());
        names
    }

    /// The functions that the lines of an address are of, the innermost first; `None` in the place of one that says little.
    fn inlined(&self, address: u64) -> Option<Vec<Option<String>>> {
        let mut frames = self.lines.as_ref()?.find_frames(address).skip_all_loads().ok()?;
        let mut names = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let file = frame.location.and_then(|location| location.file).unwrap_or_default();
            let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let says = |name: &Cow<'_, str>| !name.starts_with('{') && !STEPS.iter().any(|part| file.contains(part));
            names.push(name.filter(says).map(|name| readable(&name)));
        }
        Some(names)
    }
}

/// A function's name as people read it: Rust's without their digest. It has no `;`, which parts the functions of a stack.
pub(crate) fn readable(name: &str) -> String {
    let plain = |text: &dyn std::fmt::Display| text::line(text, NAME).replace(';', ":");
    let mangled = Some(name).filter(|name| name.len() <= MOST_MANGLED);
    match mangled.and_then(|name| rustc_demangle::try_demangle(name).ok()) {
        Some(demangled) => plain(&format_args!("{demangled:#}")),
        None => plain(&name),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_are_readable_and_do_no_harm() {
        assert_eq!(
            readable("_ZN13perigee_guest4area13batch_address17h8b529ab71f4b5b8aE"),
            "perigee_guest::area::batch_address"
        );
        assert_eq!(readable("a;b\n\u{1b}[2J"), "a:b\\n\u{fffd}[2J");
        assert!(readable(&"x".repeat(100_000)).chars().count() <= NAME + 1);
    }

    #[test]
    fn this_program_and_its_libraries_are_named() {
        let host = Host::look();
        let own = this_program_and_its_libraries_are_named as *const () as usize as u64;
        let of_c = libc::qsort as *const () as usize as u64;
        let names = host.names(&[own + 1, of_c, 1]);
        assert!(names[&(own + 1)].iter().any(|name| name.contains("this_program_and_its_libraries")), "{names:?}");
        assert!(names[&of_c].iter().any(|name| name.contains("qsort") || name.contains("libc")), "{names:?}");
        assert_eq!(names[&1], ["unknown"]);
    }
}
