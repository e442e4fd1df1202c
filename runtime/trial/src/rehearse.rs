//! A configuration, tried on a module.

use super::{Setting, Trial};
use perigee_config as config;
use perigee_load::{Loader, Upload};
use perigee_report::{Error, ModuleInfo};

/// Rooms of the window in which a configuration is tried: fewer than any run has.
const ROOMS: u32 = 64;

/// As [`Loader::inspect`]; then a throw-away instance gets the entry's configuration, with as many ports and rings as the run
/// would have.
///
/// # Errors
/// Where a run would refuse the module, or the module its configuration, in its own words.
pub fn rehearse(
    loader: &Loader,
    config: &config::Config,
    entry: &config::Module,
    upload: &Upload,
) -> Result<ModuleInfo, Error> {
    let secrets = entry.secrets()?;
    loader.try_out(entry, upload, |module, limits| {
        let port = |number: usize| [2, 0, 0, 0, 0, u8::try_from(number).unwrap_or(u8::MAX)];
        let chains = config.chains.iter().filter(|chain| chain.modules().any(|name| *name == entry.name));
        let width = chains.map(config::Chain::width).max().unwrap_or(1);
        let setting = Setting {
            config: entry.config.as_ref().map(config::ModuleConfig::bytes).unwrap_or_default(),
            secrets,
            seed: config.run.seed,
            rooms: ROOMS,
            ports: (0..config.ports.len()).map(port).collect(),
            rings: u32::try_from(config.rings.len()).unwrap_or(0),
            instances: u32::try_from(width).unwrap_or(1),
            hold: entry.grants.hold,
            ..Setting::default()
        };
        Trial::of(module, limits, &setting).map(drop).map_err(|failure| failure.to_string())
    })
}
