//! The short forms: `gen` and `forward` build the configuration that a file would give, and run it as such.

use crate::args::{ModuleArgs, RunOptions};
use crate::paced::{PaceArgs, stream};
use crate::{module_config, read, run};
use anyhow::{Context, Result, bail};
use perigee_runtime::config::Config;
use perigee_runtime::config::Grants;
use std::path::Path;
use std::process::ExitCode;

/// `perigee gen`.
pub(crate) fn generate(args: &ModuleArgs, port: &str, pace: &PaceArgs, options: &RunOptions) -> Result<ExitCode> {
    let mut config = Config::generate(file_name(args)?, port);
    config.chains[0].lcores.clone_from(&args.lcores);
    config.streams = stream(pace)?.into_iter().collect();
    start("gen", config, args, options)
}

/// `perigee forward`.
pub(crate) fn forward(args: &ModuleArgs, ports: &[String], options: &RunOptions) -> Result<ExitCode> {
    let [a, b] = ports else {
        bail!("forward needs two ports, and {} were given: --port A --port B", ports.len());
    };
    let mut config = Config::forward(file_name(args)?, a, b);
    let (forth, back) = directions(&args.lcores)?;
    config.chains[0].lcores = forth;
    config.chains[1].lcores = back;
    start("forward", config, args, options)
}

fn start(name: &str, mut config: Config, args: &ModuleArgs, options: &RunOptions) -> Result<ExitCode> {
    let module = &mut config.modules[0];
    module.config = args.config.read()?;
    module.grants = grants(&module.grants, &args.grants)?;
    config.run.burst = args.burst;
    config.run.seed = args.seed;
    // The module's path is the user's own, so it is taken from the working directory.
    let base = Path::new("");
    read::refuse_problems(&config.problems(base))?;
    run::session(&run::Session { name, base, text: None }, config, options)
}

fn file_name(args: &ModuleArgs) -> Result<&str> {
    args.module.to_str().with_context(|| format!("{}: the path is not UTF-8", args.module.display()))
}

/// Both directions share one lcore, or have as many each.
fn directions(lcores: &[u32]) -> Result<(Vec<u32>, Vec<u32>)> {
    match lcores.len() {
        0 => Ok((Vec::new(), Vec::new())),
        1 => Ok((lcores.to_vec(), lcores.to_vec())),
        even if even % 2 == 0 => Ok((lcores[..even / 2].to_vec(), lcores[even / 2..].to_vec())),
        odd => bail!("{odd} lcores cannot be shared by two directions: give 1 or an even number of --lcore"),
    }
}

/// Grants with what was given in place of what they have.
fn grants(own: &Grants, texts: &[String]) -> Result<Grants> {
    let mut table = toml::Table::try_from(own).context("the grants cannot be written")?;
    for text in texts {
        table.extend(module_config::pairs("--grant", text)?);
    }
    table.try_into().map_err(|error: toml::de::Error| anyhow::anyhow!("--grant: {}", error.message()))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_granted_goes_before_the_short_form() {
        let own = Grants::own(&["out"]);
        let given = |texts: &[&str]| grants(&own, &texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(given(&[]).unwrap(), own);
        let limited = given(&["packets_per_second = 1000", "tx = []\nmemory = \"64M\""]).unwrap();
        assert_eq!((limited.packets_per_second, limited.tx.len(), limited.memory), (Some(1_000), 0, 64 << 20));
        assert_eq!(limited.hostcalls, own.hostcalls);
        let limited = given(&["packets_per_second=1.5M", "deadline = 2"]).unwrap();
        assert_eq!((limited.packets_per_second, limited.deadline.as_secs()), (Some(1_500_000), 2));
        let refused = |text: &str| given(&[text]).unwrap_err().to_string();
        assert_eq!(refused("fast"), "--grant \"fast\" is neither TOML nor key=value");
        assert!(refused("packets = 1").contains("unknown field `packets`"), "{}", refused("packets = 1"));
    }

    #[test]
    fn directions_share_lcores() {
        assert_eq!(directions(&[]).unwrap(), (vec![], vec![]));
        assert_eq!(directions(&[3]).unwrap(), (vec![3], vec![3]));
        assert_eq!(directions(&[1, 2, 3, 4]).unwrap(), (vec![1, 2], vec![3, 4]));
        assert!(directions(&[1, 2, 3]).is_err());
    }
}
