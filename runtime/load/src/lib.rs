//! How a module comes in: who vouches for it, what it may be granted, and how its bytes become native code.
//!
//! A [`Loader`] is started before ports and threads are: it starts the compile server ([`Compiler::Process`]), which needs
//! rights that a run gives up before it looks at a module. The bytes of an [`Upload`] were read once; the same buffer is
//! hashed, verified and compiled.

mod cache;
mod client;
mod confine;
mod directory;
mod keeper;
mod policy;
mod server;
mod signature;
mod upload;
mod versions;
mod wire;
mod worker;

pub use policy::{Admission, Policy, Unsigned};
pub use server::serve;
pub use signature::{Claims, Key, KeyId, Unverified};
pub use upload::{Upload, signature_path};

use client::Client;
use keeper::{Compiled, Keeper, Plan};
use perigee_config as config;
use perigee_core::hex::hex;
use perigee_core::lock;
use perigee_report::Error;
use perigee_report::ModuleInfo;
use perigee_report::Origin;
use perigee_wasm::compile::{self, Native, translate};
use perigee_wasm::engine::{Engines, Metering};
use perigee_wasm::limits::Limits;
use perigee_wasm::module::Module;
use perigee_wasm::ticker::Ticker;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// Who compiles modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// This process, without limits of time and memory: for modules that one trusts not to exhaust the compiler.
    #[default]
    InProcess,
    /// A process of this program, which calls [`serve`] where it gets these arguments.
    Process {
        /// The program: an absolute path.
        program: PathBuf,
        /// What tells it to serve.
        arguments: Vec<OsString>,
    },
}

/// Makes of a module's bytes what is compiled in their place.
pub type Prepare<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Vec<u8>, Error>;

/// Loads the modules of a run, from its start to its end.
#[derive(Debug)]
pub struct Loader {
    /// Most bytes of a module.
    most: u64,
    backend: Mutex<Backend>,
    policy: Option<Policy>,
    allow_downgrade: bool,
    /// The fields that were compiled last, by their digest.
    newest: Mutex<Option<([u8; 32], Native)>>,
}

enum Backend {
    Here(Keeper),
    Server(Client),
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Here(_)) { "in process" } else { "compile server" })
    }
}

/// SHA-256 of a module's bytes in hexadecimal, as its [`Origin`] has it.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl Loader {
    /// Reads the policy and starts the compiler; paths start from `base`. With `allow_downgrade` signed modules are accepted of a
    /// version older than the highest seen. Code is made for engines that measure calls so.
    ///
    /// # Errors
    /// The policy cannot be read, the compile server does not start, or a directory can be written by others.
    pub fn start(
        load: &config::Load,
        base: &Path,
        compiler: &Compiler,
        allow_downgrade: bool,
        metering: Metering,
    ) -> Result<Self, Error> {
        let policy = load.policy.as_ref().map(|file| Policy::read(&base.join(file))).transpose()?;
        let plan = Plan::new(load, base, metering);
        let backend = match compiler {
            Compiler::InProcess => Backend::Here(Keeper::open(&plan).map_err(Error::Request)?),
            Compiler::Process { program, arguments } => Backend::Server(Client::start(program, arguments, &plan)?),
        };
        Ok(Self {
            most: load.module_size,
            backend: Mutex::new(backend),
            policy,
            allow_downgrade,
            newest: Mutex::default(),
        })
    }

    /// Reads a module's file, and its signature where there is one, within the limit of size.
    ///
    /// # Errors
    /// As for [`Upload::read`].
    pub fn read(&self, file: &Path) -> Result<Upload, Error> {
        Upload::read(file, self.most)
    }

    /// Loads a module under its entry's limits: admitted by the policy, made ready by `prepare` where that is wanted,
    /// compiled, checked against the ABI, started once in a throw-away instance.
    ///
    /// # Errors
    /// Where any of that fails; the text says what to do.
    pub fn load(
        &self,
        engines: &Engines,
        entry: &config::Module,
        upload: &Upload,
        prepare: Option<Prepare<'_>>,
    ) -> Result<Module, Error> {
        let refuse = |what: String| Error::Module { name: entry.name.clone(), what };
        if u64::try_from(upload.bytes.len()).unwrap_or(u64::MAX) > self.most {
            let (len, most) = (upload.bytes.len(), self.most);
            return Err(refuse(format!("has {len} bytes, at most {most} are taken: raise [load] module_size")));
        }
        let digest: [u8; 32] = Sha256::digest(&upload.bytes).into();
        let admission = self.admit(entry, upload, &digest).map_err(refuse)?;
        // What was verified is what is compiled, or where its failures are looked into, that and names for its globals.
        let prepared = prepare.map(|prepare| prepare(&upload.bytes)).transpose()?;
        let bytes = prepared.as_deref().unwrap_or(&upload.bytes);
        let engine = &engines.of(entry.grants.stack)?;
        let Compiled { native, cached } = self.compile(engine, bytes).map_err(refuse)?;
        let mut origin = Origin { sha256: hex(&digest), cached, ..Origin::default() };
        if let Some(Admission { entry, signed, .. }) = &admission {
            origin.policy.clone_from(entry);
            origin.key = signed.as_ref().map(|(key, _)| key.to_string());
            origin.version = signed.as_ref().and_then(|(_, claims)| claims.version);
        }
        let limits = Limits::from(&entry.grants);
        let module = Module::from_native(engine, &entry.name, &native, limits, origin)?;
        // Only what can run raises the version that others may not go back behind.
        self.remember(admission.as_ref()).map_err(refuse)?;
        Ok(module)
    }

    /// As a run loads it, with an engine of its own, and described: for `perigee inspect` and `perigee check`. A call may take
    /// no longer than a command allows, whatever the entry says.
    ///
    /// # Errors
    /// Where a run would refuse it.
    pub fn inspect(&self, entry: &config::Module, upload: &Upload) -> Result<ModuleInfo, Error> {
        self.try_out(entry, upload, |_, _| Ok(()))
    }

    /// Loads a module with an engine of its own, and does something further with it.
    pub fn try_out(
        &self,
        entry: &config::Module,
        upload: &Upload,
        further: impl FnOnce(&Module, Limits) -> Result<(), String>,
    ) -> Result<ModuleInfo, Error> {
        let refuse = |what: String| Error::Module { name: entry.name.clone(), what };
        let entry = config::Module { grants: entry.grants.bounded().map_err(refuse)?, ..entry.clone() };
        let engines = Engines::default();
        // Its start and the functions that tell its numbers are guest code: they have a deadline too.
        let _ticker = Ticker::start(&engines);
        let module = self.load(&engines, &entry, upload, None)?;
        further(&module, Limits::from(&entry.grants)).map_err(refuse)?;
        Ok(module.describe().clone())
    }

    /// Process number of the compile server, where there is one.
    #[must_use]
    pub fn server(&self) -> Option<u32> {
        match &*self.lock() {
            Backend::Here(_) => None,
            Backend::Server(client) => Some(client.process()),
        }
    }

    /// What the policy says of the module, and whether its version goes back.
    fn admit(&self, entry: &config::Module, upload: &Upload, digest: &[u8; 32]) -> Result<Option<Admission>, String> {
        let Some(policy) = &self.policy else { return Ok(None) };
        let name = entry.signed_as.as_ref().unwrap_or(&entry.name);
        let admission = policy.admit(name, &upload.bytes, digest, upload.signature.as_deref())?;
        if let Some(domains) = admission.domains.as_ref().filter(|domains| !domains.contains(&entry.domain)) {
            return Err(format!(
                "is in the trust domain {:?}, and the policy allows it {domains:?}: set its domain",
                entry.domain
            ));
        }
        let beyond = entry.grants.beyond(&admission.bound);
        if !beyond.is_empty() {
            let who =
                admission.entry.as_ref().map_or_else(|| "unsigned modules".to_owned(), |entry| format!("{entry:?}"));
            return Err(format!(
                "is granted more than the policy allows {who}: {}. Lower [module.grants], or raise the policy's",
                beyond.join(", ")
            ));
        }
        if let (Some(identity), Some(version), false) = (&admission.identity, admission.version(), self.allow_downgrade)
            && let Some(highest) = self.highest(identity)?
            && version < highest
        {
            return Err(format!(
                "is version {version}, and version {highest} was loaded before: an old version may have known faults. If it \
                 is meant, start once with --allow-downgrade"
            ));
        }
        Ok(Some(admission))
    }

    /// Compiles what was made of a module's plan ([`perigee_wasm::fields`]), where modules are compiled. Like a module's, its code is kept in the
    /// cache; the newest one is also remembered, because the instances of a chain all have the same.
    ///
    /// # Errors
    /// Where it does not compile.
    pub fn compile_fields(&self, engine: &wasmtime::Engine, wasm: &[u8]) -> Result<Native, String> {
        let digest: [u8; 32] =
            Sha256::new().chain_update(compile::engine_digest(engine)).chain_update(wasm).finalize().into();
        if let Some((of, native)) = &*lock(&self.newest)
            && *of == digest
        {
            return Ok(native.clone());
        }
        let native = self.compile(engine, wasm)?.native;
        *lock(&self.newest) = Some((digest, native.clone()));
        Ok(native)
    }

    fn compile(&self, engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Compiled, String> {
        let digest = compile::engine_digest(engine);
        match &mut *self.lock() {
            Backend::Here(keeper) => {
                let compiled = keeper.compile(bytes, &digest, |bytes| translate(engine, bytes));
                keeper.notes.drain(..).for_each(|note| note.log());
                compiled
            }
            Backend::Server(client) if client.engine != digest => {
                Err("the compile server compiles for another engine: it is a program of another version".to_owned())
            }
            Backend::Server(client) => client.compile(bytes),
        }
    }

    fn highest(&self, identity: &str) -> Result<Option<u64>, String> {
        match &mut *self.lock() {
            Backend::Here(keeper) => keeper.highest(identity),
            Backend::Server(client) => client.highest(identity),
        }
    }

    fn remember(&self, admission: Option<&Admission>) -> Result<(), String> {
        let Some(admission) = admission else { return Ok(()) };
        let (Some(identity), Some(version)) = (&admission.identity, admission.version()) else { return Ok(()) };
        let back = self.allow_downgrade;
        match &mut *self.lock() {
            Backend::Here(keeper) => keeper.remember(identity, version, back),
            Backend::Server(client) => client.remember(identity, version, back),
        }
    }

    /// Both ends stay in order when a load has panicked: the server answers one request after the other.
    fn lock(&self) -> MutexGuard<'_, Backend> {
        lock(&self.backend)
    }
}

impl Admission {
    /// The version that the signature says.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.signed.as_ref().and_then(|(_, claims)| claims.version)
    }
}
