//! What was declared, with the place of each field worked out.

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Ident, Lit, Meta, Result, Token, Type, Visibility};

/// A header as it was declared.
pub(crate) struct Declaration {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) numbers: Numbers,
    pub(crate) fields: Vec<Field>,
    /// Length of the header in bytes.
    pub(crate) len: usize,
}

/// Under which numbers other headers carry this one.
#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) ether_types: Vec<Expr>,
    pub(crate) ip_protocols: Vec<Expr>,
    pub(crate) udp_ports: Vec<Expr>,
    pub(crate) tcp_ports: Vec<Expr>,
}

/// A field and its place.
pub(crate) struct Field {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: Kind,
    /// Its first bit, counted from the header's first.
    pub(crate) bit: usize,
    /// How many bits it has.
    pub(crate) bits: usize,
    pub(crate) initial: Option<Expr>,
    pub(crate) hex: bool,
}

/// How a field's type is made of bits.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// An unsigned number.
    Unsigned,
    /// A signed number.
    Signed,
    /// One bit.
    Bool,
    /// Bytes as they are.
    Bytes,
    /// An address: bytes with a meaning.
    Mac,
    /// See [`Self::Mac`].
    Ipv4,
    /// See [`Self::Mac`].
    Ipv6,
    /// Any type with conversions from and to an unsigned number.
    Converted,
}

/// Reads the arguments and the struct.
pub(crate) fn declaration(arguments: TokenStream, item: TokenStream) -> Result<Declaration> {
    let input: DeriveInput = syn::parse2(item)?;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.span(), "a header is a struct with named fields"));
    };
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new(parameter.span(), "a header has a constant length: no generic parameters"));
    }
    let (name, source, numbers) = read_arguments(arguments, &input.ident)?;
    let mut fields = Vec::new();
    let mut bit = 0;
    for field in &data.fields {
        let field = read_field(field, bit)?;
        bit += field.bits;
        fields.push(field);
    }
    if fields.is_empty() || !bit.is_multiple_of(8) {
        let text = format!("the fields have {bit} bits together: a header consists of whole bytes");
        return Err(Error::new(input.ident.span(), text));
    }
    Ok(Declaration {
        docs: docs(&input.attrs),
        visibility: input.vis,
        ident: input.ident,
        name,
        source,
        numbers,
        fields,
        len: bit / 8,
    })
}

fn read_arguments(arguments: TokenStream, ident: &Ident) -> Result<(String, String, Numbers)> {
    let known = "known: name, source, ether_type, ip_protocol, udp_port, tcp_port";
    let (mut name, mut source, mut numbers) = (ident.to_string(), String::new(), Numbers::default());
    let list = syn::punctuated::Punctuated::<Meta, Token![,]>::parse_terminated.parse2(arguments)?;
    for meta in list {
        let pair = meta.require_name_value()?;
        let key = pair.path.require_ident()?.to_string();
        match key.as_str() {
            "name" => name = text(&pair.value)?,
            "source" => source = text(&pair.value)?,
            "ether_type" => numbers.ether_types = one_or_more(&pair.value),
            "ip_protocol" => numbers.ip_protocols = one_or_more(&pair.value),
            "udp_port" => numbers.udp_ports = one_or_more(&pair.value),
            "tcp_port" => numbers.tcp_ports = one_or_more(&pair.value),
            _ => return Err(Error::new(pair.path.span(), format!("unknown argument `{key}`; {known}"))),
        }
    }
    Ok((name, source, numbers))
}

fn read_field(field: &syn::Field, bit: usize) -> Result<Field> {
    let ident = field.ident.clone().ok_or_else(|| Error::new(field.span(), "a header's fields have names"))?;
    let (mut kind, mut bits) = by_type(&field.ty)?;
    let (mut initial, mut hex, mut given) = (None, false, false);
    for attribute in &field.attrs {
        if attribute.path().is_ident("bits") {
            let width: syn::LitInt = attribute.parse_args()?;
            let wanted = width.base10_parse()?;
            let most = if kind == Kind::Converted { 64 } else { bits };
            if wanted == 0 || wanted > most || matches!(kind, Kind::Bytes | Kind::Mac | Kind::Ipv4 | Kind::Ipv6) {
                return Err(Error::new(width.span(), format!("`{ident}` cannot have {wanted} bits")));
            }
            (bits, given) = (wanted, true);
        } else if attribute.path().is_ident("initial") {
            initial = Some(attribute.meta.require_name_value()?.value.clone());
        } else if attribute.path().is_ident("hex") {
            hex = true;
        } else if !attribute.path().is_ident("doc") {
            return Err(Error::new(attribute.span(), "a field knows #[bits(n)], #[initial = value] and #[hex]"));
        }
    }
    if kind == Kind::Converted && !given {
        return Err(Error::new(field.ty.span(), "how many bits has this type? Say #[bits(n)]"));
    }
    if kind == Kind::Signed && !matches!(bits, 8 | 16 | 32 | 64) {
        kind = Kind::Converted;
    }
    let aligned = matches!(kind, Kind::Bytes | Kind::Mac | Kind::Ipv4 | Kind::Ipv6 | Kind::Signed);
    if aligned && !bit.is_multiple_of(8) {
        let text = format!("`{ident}` begins at bit {bit}: bytes, addresses and signed numbers begin at a whole byte");
        return Err(Error::new(ident.span(), text));
    }
    if kind != Kind::Bytes && !aligned && bit % 8 + bits > 128 {
        return Err(Error::new(ident.span(), format!("`{ident}` spreads over more than 16 bytes")));
    }
    Ok(Field { docs: docs(&field.attrs), ident, ty: field.ty.clone(), kind, bit, bits, initial, hex })
}

/// What the name of a type says of its bits. A type of another name needs `#[bits(n)]`.
fn by_type(ty: &Type) -> Result<(Kind, usize)> {
    if let Type::Array(array) = ty {
        let Expr::Lit(ExprLit { lit: Lit::Int(len), .. }) = &array.len else {
            return Err(Error::new(array.len.span(), "the length must be a plain number"));
        };
        return Ok((Kind::Bytes, len.base10_parse::<usize>()? * 8));
    }
    let Type::Path(path) = ty else {
        return Err(Error::new(ty.span(), "a field is a number, a flag, an array of bytes or an address"));
    };
    let name = path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    Ok(match name.as_str() {
        "u8" => (Kind::Unsigned, 8),
        "u16" => (Kind::Unsigned, 16),
        "u32" => (Kind::Unsigned, 32),
        "u64" => (Kind::Unsigned, 64),
        "u128" => (Kind::Unsigned, 128),
        "i8" => (Kind::Signed, 8),
        "i16" => (Kind::Signed, 16),
        "i32" => (Kind::Signed, 32),
        "i64" => (Kind::Signed, 64),
        "bool" => (Kind::Bool, 1),
        "Mac" => (Kind::Mac, 48),
        "Ipv4Addr" => (Kind::Ipv4, 32),
        "Ipv6Addr" => (Kind::Ipv6, 128),
        _ => (Kind::Converted, 0),
    })
}

fn docs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect()
}

/// The text of all lines of a doc comment.
pub(crate) fn doc_text(docs: &[Attribute]) -> String {
    let lines =
        docs.iter().filter_map(|doc| doc.meta.require_name_value().ok().and_then(|pair| text(&pair.value).ok()));
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn text(value: &Expr) -> Result<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.value()),
        other => Err(Error::new(other.span(), "a text in quotes is needed")),
    }
}

fn one_or_more(value: &Expr) -> Vec<Expr> {
    match value {
        Expr::Array(array) => array.elems.iter().cloned().collect(),
        one => vec![one.clone()],
    }
}

/// The smallest unsigned type that has so many bits.
pub(crate) fn unsigned(bits: usize) -> Ident {
    let name = match bits {
        0..=8 => "u8",
        9..=16 => "u16",
        17..=32 => "u32",
        33..=64 => "u64",
        _ => "u128",
    };
    Ident::new(name, Span::call_site())
}
