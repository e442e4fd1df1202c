//! The code of a header.

use crate::parse::{Declaration, Field, Kind, doc_text, unsigned};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// The header's type and everything that follows from its fields.
pub(crate) fn header(declaration: &Declaration) -> TokenStream {
    let Declaration { docs, visibility, ident, len, fields, .. } = declaration;
    let accessors = fields.iter().map(accessors);
    let constants = fields.iter().map(constant);
    let initial = fields.iter().filter_map(|field| {
        let (setter, value) = (format_ident!("set_{}", field.ident), field.initial.as_ref()?);
        Some(quote!(header.#setter(#value);))
    });
    let format = format(declaration);
    let zerocopy = "::perigee_guest::wire::zerocopy";
    quote! {
        #(#docs)*
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash,
            ::perigee_guest::wire::zerocopy::FromBytes,
            ::perigee_guest::wire::zerocopy::IntoBytes,
            ::perigee_guest::wire::zerocopy::Unaligned,
            ::perigee_guest::wire::zerocopy::Immutable,
            ::perigee_guest::wire::zerocopy::KnownLayout,
        )]
        #[zerocopy(crate = #zerocopy)]
        #[repr(transparent)]
        #visibility struct #ident {
            bytes: [u8; #len],
        }

        /// Where the fields lie.
        impl #ident {
            #(#constants)*
        }

        /// The fields.
        impl #ident {
            /// Length in bytes, without a variable part.
            pub const LEN: usize = #len;
            /// A header of zeros; `default()` has sensible values.
            pub const ZERO: Self = Self { bytes: [0; #len] };

            #(#accessors)*
        }

        impl ::core::default::Default for #ident {
            #[inline]
            fn default() -> Self {
                #[allow(unused_mut, reason = "a header without initial values is all zeros")]
                let mut header = Self::ZERO;
                #(#initial)*
                header
            }
        }

        #format

        impl ::core::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::perigee_guest::wire::show(&<Self as ::perigee_guest::wire::Fields>::FORMAT, &self.bytes, f)
            }
        }

        impl ::core::fmt::Debug for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(self, f)
            }
        }
    }
}

/// What is known of the header beside its code: for dumps, tables and tests.
fn format(declaration: &Declaration) -> TokenStream {
    let Declaration { docs, ident, name, source, numbers, fields, len, .. } = declaration;
    let (ether_types, ip_protocols) = (&numbers.ether_types, &numbers.ip_protocols);
    let (udp_ports, tcp_ports) = (&numbers.udp_ports, &numbers.tcp_ports);
    let constants = fields.iter().map(constant_name);
    let field_docs = fields.iter().map(|field| doc_text(&field.docs));
    let (doc, typed) = (doc_text(docs), typed(fields));
    quote! {
        impl ::perigee_guest::wire::Fields for #ident {
            const FORMAT: ::perigee_guest::wire::Format = ::perigee_guest::wire::Format {
                name: #name,
                source: #source,
                len: #len,
                fields: &[#(#ident::#constants),*],
                ether_types: &[#(#ether_types),*],
                ip_protocols: &[#(#ip_protocols),*],
                udp_ports: &[#(#udp_ports),*],
                tcp_ports: &[#(#tcp_ports),*],
            };
            const DOC: &'static str = #doc;
            const FIELD_DOCS: &'static [&'static str] = &[#(#field_docs),*];
            #typed
        }
    }
}

/// Getters and setters by a field's number, for tests of all headers: values go through the typed ones as their big-endian
/// bytes.
fn typed(fields: &[Field]) -> TokenStream {
    let gets = fields.iter().enumerate().map(|(index, field)| {
        let ident = &field.ident;
        let bytes = to_bytes(field, quote!(self.#ident()));
        quote!(#index => ::perigee_guest::wire::right_aligned(&#bytes, value),)
    });
    let sets = fields.iter().enumerate().map(|(index, field)| {
        let (setter, value) = (format_ident!("set_{}", field.ident), from_bytes(field));
        quote!(#index => self.#setter(#value),)
    });
    quote! {
        #[cfg(not(target_arch = "wasm32"))]
        fn get_by_index(&self, index: usize, value: &mut [u8]) {
            match index {
                #(#gets)*
                _ => {}
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        fn set_by_index(&mut self, index: usize, value: &[u8]) {
            match index {
                #(#sets)*
                _ => {}
            }
        }
    }
}

/// The bytes of what a getter gives.
fn to_bytes(field: &Field, value: TokenStream) -> TokenStream {
    let unsigned = unsigned(field.bits);
    match field.kind {
        Kind::Unsigned | Kind::Signed => quote!(#value.to_be_bytes()),
        Kind::Bool => quote!([u8::from(#value)]),
        Kind::Bytes => value,
        Kind::Mac => quote!(#value.0),
        Kind::Ipv4 | Kind::Ipv6 => quote!(#value.octets()),
        Kind::Converted => quote!(#unsigned::from(#value).to_be_bytes()),
    }
}

/// What a setter takes, of its bytes.
fn from_bytes(field: &Field) -> TokenStream {
    let (ty, unsigned) = (&field.ty, unsigned(field.bits));
    let array = quote!(::perigee_guest::wire::last_bytes(value));
    match field.kind {
        Kind::Unsigned | Kind::Signed => quote!(<#ty>::from_be_bytes(#array)),
        Kind::Bool => quote!(value.last() == Some(&1)),
        Kind::Bytes => array,
        Kind::Mac => quote!(::perigee_guest::wire::Mac(#array)),
        Kind::Ipv4 | Kind::Ipv6 => quote!(<#ty>::from_octets(#array)),
        Kind::Converted => quote!(<#ty>::from(#unsigned::from_be_bytes(#array))),
    }
}

fn constant_name(field: &Field) -> Ident {
    format_ident!("{}", field.ident.to_string().to_uppercase())
}

fn constant(field: &Field) -> TokenStream {
    let (constant, name, bit, bits) = (constant_name(field), field.ident.to_string(), field.bit, field.bits);
    let show = match field.kind {
        Kind::Mac => "Mac",
        Kind::Ipv4 => "Ipv4",
        Kind::Ipv6 => "Ipv6",
        Kind::Bytes => "Bytes",
        Kind::Signed => "Signed",
        _ if field.hex => "Hex",
        _ => "Decimal",
    };
    let (show, doc) = (format_ident!("{show}"), format!("Where `{name}` lies."));
    quote! {
        #[doc = #doc]
        pub const #constant: ::perigee_guest::wire::Field =
            ::perigee_guest::wire::Field::new(#name, #bit, #bits, ::perigee_guest::wire::Show::#show);
    }
}

fn accessors(field: &Field) -> TokenStream {
    let (docs, ident, ty) = (&field.docs, &field.ident, &field.ty);
    let setter = format_ident!("set_{ident}");
    let set_doc = format!("Sets `{ident}`.");
    let (get, set) = match field.kind {
        Kind::Bytes | Kind::Mac | Kind::Ipv4 | Kind::Ipv6 => bytes(field),
        Kind::Signed => {
            let (get, set) = number(field);
            let (get, unsigned) = (quote!((#get).cast_signed()), unsigned(field.bits));
            (get, quote! { let value: #unsigned = value.cast_unsigned(); #set })
        }
        Kind::Bool => {
            let (get, set) = number(field);
            (quote!((#get) != 0), quote! { let value = u8::from(value); #set })
        }
        Kind::Unsigned => number(field),
        Kind::Converted => {
            let (get, set) = number(field);
            let unsigned = unsigned(field.bits);
            (quote!(<#ty>::from(#get)), quote! { let value: #unsigned = #unsigned::from(value); #set })
        }
    };
    quote! {
        #(#docs)*
        #[inline(always)]
        #[must_use]
        pub fn #ident(&self) -> #ty {
            #get
        }

        #[doc = #set_doc]
        #[inline(always)]
        pub fn #setter(&mut self, value: #ty) {
            #set
        }
    }
}

/// Bytes as they are, and addresses.
fn bytes(field: &Field) -> (TokenStream, TokenStream) {
    let (first, len) = (field.bit / 8, field.bits / 8);
    let indices = (first..first + len).map(|at| quote!(self.bytes[#at]));
    let array = quote!([#(#indices),*]);
    let end = first + len;
    let set = |value: TokenStream| quote!(self.bytes[#first..#end].copy_from_slice(&#value););
    let ty = &field.ty;
    match field.kind {
        Kind::Mac => (quote!(::perigee_guest::wire::Mac(#array)), set(quote!(value.0))),
        Kind::Ipv4 | Kind::Ipv6 => (quote!(<#ty>::from(#array)), set(quote!(value.octets()))),
        _ => {
            let copy = quote! {
                let mut array = [0; #len];
                array.copy_from_slice(&self.bytes[#first..#end]);
                array
            };
            (copy, set(quote!(value)))
        }
    }
}

/// A number: the bytes that it lies in as one big-endian word, of which it is a part.
fn number(field: &Field) -> (TokenStream, TokenStream) {
    let (first, end) = (field.bit / 8, (field.bit + field.bits).div_ceil(8));
    let word = unsigned((end - first) * 8);
    let number = unsigned(field.bits);
    let word_len = match word.to_string().as_str() {
        "u8" => 1,
        "u16" => 2,
        "u32" => 4,
        "u64" => 8,
        _ => 16,
    };
    let missing = word_len - (end - first);
    let zeros = (0..missing).map(|_| quote!(0));
    let indices = (first..end).map(|at| quote!(self.bytes[#at]));
    let load = quote!(#word::from_be_bytes([#(#zeros,)* #(#indices),*]));
    if field.bits == (end - first) * 8 {
        let (get, set) = if missing == 0 {
            (load, quote!(self.bytes[#first..#end].copy_from_slice(&value.to_be_bytes());))
        } else {
            let set = quote!(self.bytes[#first..#end].copy_from_slice(&value.to_be_bytes()[#missing..]););
            (load, set)
        };
        return (get, set);
    }
    let shift = u32::try_from(end * 8 - field.bit - field.bits).unwrap_or(0);
    let mask = format_ident!("MASK");
    let bits = u32::try_from(field.bits).unwrap_or(0);
    let constant = quote!(const #mask: #word = #word::MAX >> (#word::BITS - #bits););
    let narrow = if word == number { quote!() } else { quote!(as #number) };
    let get = quote! {{
        #constant
        #[allow(clippy::cast_possible_truncation, reason = "the mask leaves no more bits")]
        { ((#load >> #shift) & #mask) #narrow }
    }};
    let set = quote! {
        #constant
        let word = #load & !(#mask << #shift) | (#word::from(value) & #mask) << #shift;
        self.bytes[#first..#end].copy_from_slice(&word.to_be_bytes()[#missing..]);
    };
    (get, set)
}
