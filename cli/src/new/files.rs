//! What a project consists of: the texts in cli/templates/, and the language's kit as it is in guest-sdk/. All of them are
//! in this program.

use super::{Asked, Kind, Language};
use anyhow::{Context, Result};
use std::path::Path;

/// A file of templates.
macro_rules! template {
    ($($path:literal),+) => {
        include_str!(concat!("../../templates/", $($path),+))
    };
}

/// A file of the kits.
macro_rules! kit {
    ($path:literal) => {
        include_str!(concat!("../../../guest-sdk/", $path))
    };
}

/// Both scripts, with what all languages have in common.
macro_rules! scripts {
    ($language:literal) => {
        [
            ("build.sh", template!($language, "/build.sh")),
            ("test.sh", concat!(template!($language, "/test.sh"), template!("common/test-end.sh"))),
            ("tools.sh", concat!(template!("common/tools.sh"), template!($language, "/tools.sh"))),
        ]
    };
}

/// Where a file goes, and its text.
type Template = (&'static str, &'static str);

/// All files of a project: where each goes, and what it says.
pub(super) fn all(asked: &Asked<'_>, sdk: Option<&Path>) -> Result<Vec<(String, String)>> {
    let mut places = places(asked);
    if let Some(sdk) = sdk {
        let path = sdk.to_str().with_context(|| format!("{}: Cargo.toml takes UTF-8 only", sdk.display()))?;
        places.push(("@SDK@", toml::Value::from(path).to_string()));
    }
    if asked.language == Language::As {
        places.push(("@ASSEMBLYSCRIPT@", assemblyscript()?));
    }
    let fill = |text: &str| places.iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value));
    let mut files: Vec<_> = templates(asked).into_iter().map(|(path, text)| (path.to_owned(), fill(text))).collect();
    // The kit's files stay as they are.
    files.extend(kit(asked.language).iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    if asked.language == Language::As {
        files.push(("package-lock.json".to_owned(), lock()));
    }
    if let Some(lock) = sdk.and_then(|sdk| std::fs::read_to_string(sdk.join("../Cargo.lock")).ok()) {
        // The versions that the repository has: cargo leaves out what the project does not need, and fetches nothing that
        // is there already.
        files.push(("Cargo.lock".to_owned(), lock));
    }
    Ok(files)
}

/// What stands for what in the templates. A text may hold places of those behind it.
fn places(asked: &Asked<'_>) -> Vec<(&'static str, String)> {
    let about = match asked.kind {
        Kind::Stage => template!("common/about-stage.md"),
        Kind::Generator => template!("common/about-generator.md"),
    };
    let tools = match asked.language {
        Language::Rust => template!("rust/README.md"),
        Language::C => template!("c/README.md"),
        Language::Zig => template!("zig/README.md"),
        Language::As => template!("as/README.md"),
        Language::Go => template!("go/README.md"),
    };
    let config = match (takes_config(asked.language), asked.kind) {
        (true, Kind::Stage) => "config = { hops = 1 }\n",
        (true, Kind::Generator) => "config = { size = 60, dst_port = 9 }\n",
        (false, _) => "",
    };
    vec![
        ("@ABOUT@", about.to_owned()),
        ("@TOOLS@", tools.to_owned()),
        ("@CONFIG@\n", format!("{config}\n")),
        ("@LANGUAGE@", asked.language.name().to_owned()),
        ("@CRATE@", asked.name.replace('-', "_")),
        ("@NAME@", asked.name.to_owned()),
    ]
}

/// Whether the kit reads a configuration into a type.
fn takes_config(language: Language) -> bool {
    matches!(language, Language::Rust | Language::Zig)
}

/// The files that are filled in.
fn templates(asked: &Asked<'_>) -> Vec<Template> {
    let mut files = vec![(".gitignore", template!("common/gitignore")), ("README.md", template!("common/README.md"))];
    let with_config = takes_config(asked.language);
    files.extend(match asked.kind {
        Kind::Stage => vec![
            ("perigee.toml", template!("common/stage/perigee.toml")),
            ("traffic.wat", template!("common/stage/traffic.wat")),
            ("cases.toml", cases(with_config, asked.kind)),
        ],
        Kind::Generator => vec![
            ("perigee.toml", template!("common/generator/perigee.toml")),
            ("cases.toml", cases(with_config, asked.kind)),
        ],
    });
    files.extend(match asked.language {
        Language::Rust => scripts!("rust"),
        Language::C => scripts!("c"),
        Language::Zig => scripts!("zig"),
        Language::As => scripts!("as"),
        Language::Go => scripts!("go"),
    });
    files.extend(sources(asked));
    files
}

fn cases(with_config: bool, kind: Kind) -> &'static str {
    match (kind, with_config) {
        (Kind::Stage, false) => template!("common/stage/cases.toml"),
        (Kind::Stage, true) => {
            concat!(template!("common/stage/cases.toml"), template!("common/stage/cases-config.toml"))
        }
        (Kind::Generator, false) => template!("common/generator/cases.toml"),
        (Kind::Generator, true) => {
            concat!(template!("common/generator/cases.toml"), template!("common/generator/cases-config.toml"))
        }
    }
}

/// The module and its tests.
fn sources(asked: &Asked<'_>) -> Vec<Template> {
    let is_stage = asked.kind == Kind::Stage;
    macro_rules! source {
        ($language:literal, $name:literal) => {
            if is_stage { template!($language, "/stage/", $name) } else { template!($language, "/generator/", $name) }
        };
    }
    match asked.language {
        Language::Rust => vec![
            ("Cargo.toml", template!("rust/Cargo.toml")),
            (".cargo/config.toml", template!("rust/config.toml")),
            ("src/lib.rs", source!("rust", "lib.rs")),
            ("src/tests.rs", source!("rust", "tests.rs")),
        ],
        Language::C => vec![
            ("module.c", source!("c", "module.c")),
            ("test.c", source!("c", "test.c")),
            ("test-host.h", template!("c/test-host.h")),
        ],
        Language::Zig => vec![
            ("module.zig", source!("zig", "module.zig")),
            ("test.zig", source!("zig", "test.zig")),
            ("host.zig", template!("zig/host.zig")),
        ],
        Language::As => {
            vec![("package.json", template!("as/package.json")), ("assembly/index.ts", source!("as", "index.ts"))]
        }
        Language::Go => vec![
            ("go.mod", template!("go/go.mod")),
            ("main.go", source!("go", "main.go")),
            ("main_test.go", source!("go", "main_test.go")),
        ],
    }
}

/// The language's kit, so that a project is complete without the repository. A crate is named by its path instead.
fn kit(language: Language) -> &'static [Template] {
    match language {
        Language::Rust => &[],
        Language::C => {
            &[("perigee/perigee.h", kit!("c/perigee.h")), ("perigee/perigee_abi.h", kit!("c/perigee_abi.h"))]
        }
        Language::Zig => &[
            ("perigee/perigee.zig", kit!("zig/perigee.zig")),
            ("perigee/abi.zig", kit!("zig/abi.zig")),
            ("perigee/packet.zig", kit!("zig/packet.zig")),
            ("perigee/random.zig", kit!("zig/random.zig")),
            ("perigee/test.zig", kit!("zig/test.zig")),
            ("perigee/wire.zig", kit!("zig/wire.zig")),
        ],
        Language::As => &[
            ("assembly/perigee.ts", kit!("as/assembly/perigee.ts")),
            ("assembly/abi.ts", kit!("as/assembly/abi.ts")),
            ("assembly/areas.ts", kit!("as/assembly/areas.ts")),
            ("assembly/tools.ts", kit!("as/assembly/tools.ts")),
        ],
        Language::Go => &[
            ("perigee/abi.go", kit!("go/perigee/abi.go")),
            ("perigee/areas.go", kit!("go/perigee/areas.go")),
            ("perigee/batch.go", kit!("go/perigee/batch.go")),
            ("perigee/exports.go", kit!("go/perigee/exports.go")),
            ("perigee/host.go", kit!("go/perigee/host.go")),
            ("perigee/host_native.go", kit!("go/perigee/host_native.go")),
            ("perigee/host_wasip1.go", kit!("go/perigee/host_wasip1.go")),
            ("perigee/packet.go", kit!("go/perigee/packet.go")),
            ("perigee/tools.go", kit!("go/perigee/tools.go")),
        ],
    }
}

/// The compiler's version, as the kit's own package says it.
fn assemblyscript() -> Result<String> {
    let package: serde_json::Value = serde_json::from_str(kit!("as/package.json")).context("the kit's package.json")?;
    let version = package["devDependencies"]["assemblyscript"].as_str().context("the kit's package.json")?;
    Ok(version.to_owned())
}

/// The kit's lock, without the name of the kit's own package.
fn lock() -> String {
    let lines = kit!("as/package-lock.json").lines();
    lines.filter(|line| !line.contains("\"perigee-guest-as\"")).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod test {
    use super::*;
    use clap::ValueEnum as _;
    use std::collections::BTreeSet;

    fn each(mut check: impl FnMut(&Asked<'_>, &[(String, String)])) {
        for &language in Language::value_variants() {
            for &kind in Kind::value_variants() {
                let asked = Asked { name: "my-name", language, kind, path: None, sdk: None };
                let sdk = (language == Language::Rust).then_some(Path::new("/a \"b\"/guest-sdk"));
                check(&asked, &all(&asked, sdk).unwrap());
            }
        }
    }

    #[test]
    fn all_places_are_filled() {
        each(|_, files| {
            for (path, text) in files {
                let mut words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '@'));
                let open = words.find(|word| word.len() > 2 && word.starts_with('@') && word.ends_with('@'));
                assert_eq!(open, None, "{path}");
            }
        });
    }

    #[test]
    fn no_file_is_there_twice_and_scripts_can_be_run() {
        each(|_, files| {
            let paths: BTreeSet<_> = files.iter().map(|(path, _)| path).collect();
            assert_eq!(paths.len(), files.len());
            for script in ["build.sh", "test.sh"] {
                let (_, text) = files.iter().find(|(path, _)| path == script).unwrap();
                assert!(text.starts_with("#!/usr/bin/env bash\n"), "{script}");
            }
        });
    }

    /// A file that is new in a kit must be in the list above.
    #[test]
    fn kits_are_whole() {
        for (language, folder, ending) in [
            (Language::C, "c", ".h"),
            (Language::Zig, "zig", ".zig"),
            (Language::As, "as/assembly", ".ts"),
            (Language::Go, "go/perigee", ".go"),
        ] {
            let own = ["reflector", "udp-gen", "checks", "perigee_test"].map(|name| format!("{name}{ending}"));
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk").join(folder);
            let names =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let wanted: BTreeSet<_> = names.filter(|name| name.ends_with(ending) && !own.contains(name)).collect();
            let names = kit(language).iter().map(|(path, _)| path.rsplit('/').next().unwrap().to_owned());
            assert_eq!(names.collect::<BTreeSet<_>>(), wanted);
        }
    }

    #[test]
    fn the_path_of_the_crate_is_quoted() {
        let asked = Asked { name: "a", language: Language::Rust, kind: Kind::Stage, path: None, sdk: None };
        let files = all(&asked, Some(Path::new("/a \"b\"/guest-sdk"))).unwrap();
        let (_, manifest) = files.iter().find(|(path, _)| path == "Cargo.toml").unwrap();
        let manifest: toml::Table = toml::from_str(manifest).unwrap();
        assert_eq!(manifest["dependencies"]["perigee-guest"]["path"].as_str(), Some("/a \"b\"/guest-sdk"));
    }
}
