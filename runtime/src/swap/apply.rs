//! A changed configuration is applied as a list of differences: all of them, or none.

use super::Swapping;
use super::canary;
use super::options::SwapOptions;
use super::rebuild::RebuiltChain;
use crate::parts::Loaded;
use crate::parts::orders::full;
use perigee_config::{Action, Config, Module, Severity};
use perigee_core::clock::nanos;
use perigee_core::lock;
use perigee_datapath::orders::Command;
use perigee_load::Upload;
use perigee_report::Error;
use perigee_report::{ApplyReport, SwapReport};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Swapping<'_> {
    /// What [`crate::Run::apply`] says.
    pub(crate) fn apply(&self, new: &Config, files: &BTreeMap<String, Upload>) -> Result<ApplyReport, Error> {
        let problems: Vec<_> = new.validate().into_iter().filter(|p| p.severity == Severity::Error).collect();
        if !problems.is_empty() {
            return Err(Error::Config { problems });
        }
        let _applying = lock(&self.changes.applying);
        let actions = self.differences(new, files)?;
        let mut report =
            ApplyReport { actions: actions.iter().map(ToString::to_string).collect(), ..Default::default() };
        let restart = actions.iter().filter(|action| matches!(action, Action::Restart { .. }));
        report.restart = restart.map(ToString::to_string).collect();
        if !report.restart.is_empty() {
            return Ok(report);
        }
        let maker = &self.parts.maker;
        let before = self.config();
        // A module that is new is known before its instances are there: one that fails at once is cared for, too.
        let loaded = self.load_added(&actions, new, files)?.into_iter();
        let (added, changed): (Vec<_>, Vec<_>) = loaded.partition(|(name, _)| before.module(name).is_none());
        added.into_iter().for_each(|(name, loaded)| maker.put(&name, loaded));
        let made = match self.change_chains(&actions, new) {
            Ok(made) => made,
            Err(error) => {
                maker.set_config(before);
                return Err(error);
            }
        };
        match self.swap_all(&actions, new, files) {
            Ok(swaps) => report.swaps = swaps,
            Err(error) => {
                let mut ledger = self.ledger();
                self.end_all_graces(&mut ledger);
                self.unbuild(made);
                maker.set_config(before);
                return Err(error);
            }
        }
        report.chains = self.chain_reports(&made);
        changed.into_iter().for_each(|(name, loaded)| maker.put(&name, loaded));
        maker.set_config(Arc::new(new.clone()));
        self.set_tick(new);
        Ok(report)
    }

    /// What differs from what runs now. A module whose file has other bytes differs too.
    pub(crate) fn differences(&self, new: &Config, files: &BTreeMap<String, Upload>) -> Result<Vec<Action>, Error> {
        let mut now = Config::clone(&self.config());
        let mut actions = Vec::new();
        for entry in &mut now.modules {
            let loaded = self.parts.maker.loaded(&entry.name)?;
            entry.clone_from(&loaded.entry);
            let Some(next) = new.modules.iter().find(|next| next.name == entry.name) else { continue };
            let upload = file_of(next, files)?;
            if perigee_wasm::module::origin_of(&upload.bytes).sha256 != loaded.digest && *entry == *next {
                actions.push(Action::Swap { module: entry.name.clone(), changed: vec!["file"] });
            }
        }
        actions.extend(now.diff(new));
        Ok(actions)
    }

    /// Loads the modules that the configuration did not have, and those that differ and work nowhere, and tries them on packets
    /// that nobody misses.
    fn load_added(
        &self,
        actions: &[Action],
        new: &Config,
        files: &BTreeMap<String, Upload>,
    ) -> Result<BTreeMap<String, Arc<Loaded>>, Error> {
        let added = |action: &Action| match action {
            Action::Add { module } => Some(entry_of(new, module)?.clone()),
            // It works nowhere: there is nothing to switch.
            Action::Swap { module, .. } if new.instances(module) == 0 => Some(entry_of(new, module)?.clone()),
            _ => None,
        };
        let load = |entry: Module| {
            let loaded = self.parts.maker.load(&entry, file_of(&entry, files)?)?;
            canary::sing(&loaded, &self.cage())
                .map_err(|what| Error::Module { name: entry.name.clone(), what: format!("canary: {what}") })?;
            Ok((entry.name, Arc::new(loaded)))
        };
        actions.iter().filter_map(added).map(load).collect()
    }

    /// Gives the chains their stages. What earlier swaps keep of the modules before them goes: places move.
    fn change_chains(&self, actions: &[Action], new: &Config) -> Result<Vec<RebuiltChain>, Error> {
        let mut ledger = self.ledger();
        self.hear_of_failures(&mut ledger);
        if actions.iter().any(|action| matches!(action, Action::Stages { .. })) {
            self.end_all_graces(&mut ledger);
        }
        self.rebuild(actions, new).map_err(|what| Error::Request(format!("the chains stay as they are: {what}")))
    }

    /// Replaces the modules that differ; where one is refused, those before it are put back.
    fn swap_all(
        &self,
        actions: &[Action],
        new: &Config,
        files: &BTreeMap<String, Upload>,
    ) -> Result<Vec<SwapReport>, Error> {
        let mut swaps = Vec::<SwapReport>::new();
        for action in actions {
            let Action::Swap { module, .. } = action else { continue };
            let Some(entry) = entry_of(new, module).filter(|_| new.instances(module) != 0) else { continue };
            let options = SwapOptions { entry: Some(entry.clone()), ..SwapOptions::default() };
            match file_of(entry, files).and_then(|upload| self.swap(module, upload, &options)) {
                Ok(swap) => swaps.push(swap),
                Err(error) => {
                    let why = format!("the configuration was not applied: {error}");
                    swaps.iter().rev().for_each(|swap| self.roll_back(&mut self.ledger(), swap.number, None, &why));
                    return Err(error);
                }
            }
        }
        Ok(swaps)
    }

    fn set_tick(&self, new: &Config) {
        let ns = nanos(new.run.tick);
        for lcore in 0..self.parts.orders.len() {
            let order = Command::Tick { cycles: self.parts.clock.cycles_in(ns) };
            if self.parts.orders.push(lcore, order).is_err() {
                tracing::warn!("run.tick stays as it was: {}", full(lcore));
            }
        }
    }
}

fn entry_of<'a>(config: &'a Config, module: &str) -> Option<&'a Module> {
    config.modules.iter().find(|entry| entry.name == module)
}

fn file_of<'a>(entry: &Module, files: &'a BTreeMap<String, Upload>) -> Result<&'a Upload, Error> {
    let missing =
        || format!("the bytes of {:?} are missing: hand over the file of each module of the configuration", entry.file);
    files.get(&entry.file).ok_or_else(|| Error::Request(missing()))
}
