//! Where the module is that makes the packets.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Its file's name.
const FILE: &str = "stream-gen.wasm";
/// Where the package puts it.
const INSTALLED: &str = "/usr/share/perigee/modules";

/// The module's file: the one that is named, else one beside this program, else the installed one.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf> {
    let places = match named {
        Some(file) => vec![file.to_owned()],
        None => places(std::env::current_exe().ok().as_deref().and_then(Path::parent)),
    };
    if let Some(found) = places.iter().find(|place| place.is_file()) {
        return std::path::absolute(found).with_context(|| found.display().to_string());
    }
    if let Some(file) = named {
        bail!("--module {}: there is no such file", file.display());
    }
    let list: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    bail!(
        "the module that makes the packets is not there: looked for {}; ./x build-modules makes it in a clone of the repository, \
         the package perigee brings it, --module FILE names it",
        list.join(", ")
    )
}

/// Where it may be, for a program in this folder.
fn places(program: Option<&Path>) -> Vec<PathBuf> {
    // An installed program, one that Cargo built, and one that Cargo built for a test.
    let beside = ["../share/perigee/modules", "../modules", "../../modules"];
    let beside = program.into_iter().flat_map(|folder| beside.map(|place| folder.join(place)));
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|repository| repository.join("target/modules"));
    beside.chain(built).chain([INSTALLED.into()]).map(|folder| folder.join(FILE)).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_with_where_it_may_be() {
        let told = find(Some(Path::new("/nowhere/x.wasm"))).unwrap_err().to_string();
        assert_eq!(told, "--module /nowhere/x.wasm: there is no such file");
        let places = places(Some(Path::new("/opt/perigee/bin")));
        assert_eq!(places[0], Path::new("/opt/perigee/bin/../share/perigee/modules/stream-gen.wasm"));
        assert_eq!(places.last().unwrap(), Path::new("/usr/share/perigee/modules/stream-gen.wasm"));
    }
}
