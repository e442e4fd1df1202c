//! The macros.

/// Exports a type that implements [`Module`](crate::Module) as the module of this crate.
///
/// ```text
/// perigee_guest::module!(Type: process, tick);
/// perigee_guest::module!(Type: generate, prefill; window = 16 * MIB, mailbox = 4 * KIB, spares = 8);
/// ```
///
/// The names after the type are the callbacks that the module has: `process`, `generate`, `prefill`, `tick`, `message`,
/// `fields` and `state` (which is `save` and `restore`). `init` is always there. What is not named is not exported, so
/// `perigee inspect` shows what the module does. The options are the fields of [`Options`](crate::Options).
///
/// On other targets than WebAssembly it exports nothing, so that the crate can be linked and tested natively.
#[macro_export]
macro_rules! module {
    ($type:ty : $($callback:ident),+ $(; $($option:ident = $value:expr),* $(,)?)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[allow(unused_imports, reason = "an option need not use them")]
            use $crate::{KIB, MIB};
            const OPTIONS: $crate::Options =
                $crate::Options { $($($option: $value,)*)? ..$crate::Options::DEFAULT };
            // The host maps at a multiple of 2 MiB inside, so that much is lost.
            const WINDOW_LEN: usize = OPTIONS.window + $crate::abi::WINDOW_ALIGN as usize;
            static WINDOW: $crate::area::Window<WINDOW_LEN> = $crate::area::Window::new();
            static MAILBOX: $crate::area::Mailbox<{ OPTIONS.mailbox }> = $crate::area::Mailbox::new();
            static SLOT: $crate::area::Slot<$type> = $crate::area::Slot::new();

            $crate::__number!("perigee_abi", $crate::abi::ABI_VERSION as usize);
            $crate::__number!("perigee_batch", $crate::area::batch_address());
            $crate::__number!("perigee_window", WINDOW.address());
            $crate::__number!("perigee_window_len", WINDOW_LEN);
            $crate::__number!("perigee_mailbox", MAILBOX.address());
            $crate::__number!("perigee_mailbox_len", OPTIONS.mailbox);
            $crate::__number!("perigee_spares", OPTIONS.spares as usize);

            $crate::__heap!(OPTIONS);

            #[unsafe(export_name = "init")]
            extern "C" fn init(len: u32) -> i32 {
                give_heap();
                // SAFETY: called by the host alone.
                unsafe { $crate::export::init::<$type, { OPTIONS.mailbox }>(&SLOT, &MAILBOX, len) }
            }
            $($crate::__callback!($callback, OPTIONS, SLOT, MAILBOX);)+
        };
    };
}

/// Names counters: constants of type [`Counter`](crate::Counter), and a function that gives them to the host.
///
/// ```
/// perigee_guest::counters! {
///     /// Packets sent.
///     PACKETS = "packets",
///     /// Their bytes.
///     BYTES = "bytes",
/// }
/// # fn init(setup: &perigee_guest::Setup) {
/// name_counters(setup);
/// # }
/// # fn process() {
/// PACKETS.add(1);
/// # }
/// ```
#[macro_export]
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        $crate::__counters!(0, $($(#[$doc])* $name,)+);

        /// Gives each counter its name; for `init`.
        fn name_counters(setup: &$crate::Setup<'_>) {
            $(setup.counter($name, $text);)+
        }
    };
}

/// Logs a line put together like in `format!`, of at most 240 bytes: `log!(Level::Info, "{n} flows")`.
///
/// It brings `core::fmt` into the module, several kilobytes; [`Level::log`](crate::Level::log) with a fixed text does
/// not.
#[macro_export]
macro_rules! log {
    ($level:expr, $($arg:tt)+) => {{
        let mut line = $crate::Text::<{ $crate::abi::names::LOG_MAX }>::new();
        let _ = ::core::fmt::Write::write_fmt(&mut line, ::core::format_args!($($arg)+));
        $crate::Level::log($level, line.as_str());
    }};
}

/// Says that something must hold. Where it does not, the instance logs one line at level error that begins with `invariant:`
/// (needs the grant of the hostcall `log`), and traps: a run counts that as a failure, and `perigee sim --seeds` stops there and
/// says how to see it again.
///
/// ```
/// # let (number, last) = (2_u32, 1_u32);
/// perigee_guest::invariant!(number > last, "packet {number} comes after packet {last}");
/// ```
///
/// In other languages it is the same: such a line, and a trap. In a native test it panics.
#[macro_export]
macro_rules! invariant {
    ($holds:expr, $($arg:tt)+) => {
        if !$holds {
            let mut line = $crate::Text::<{ $crate::abi::names::LOG_MAX }>::new();
            line.push("invariant: ");
            let _ = ::core::fmt::Write::write_fmt(&mut line, ::core::format_args!($($arg)+));
            $crate::broken(line.as_str());
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __counters {
    ($index:expr, $(#[$doc:meta])* $name:ident, $($rest:tt)*) => {
        $(#[$doc])*
        const $name: $crate::Counter = $crate::Counter::at($index);
        $crate::__counters!($index + 1, $($rest)*);
    };
    ($index:expr,) => {};
}

/// With the feature `state`: a heap, and the function that hands it to the allocator. All modules of a workspace may be
/// compiled with the features of one of them, so a module without a heap has one of no bytes.
#[cfg(feature = "state")]
#[doc(hidden)]
#[macro_export]
macro_rules! __heap {
    ($options:ident) => {
        static HEAP: $crate::area::Heap<{ $options.heap }> = $crate::area::Heap::new();

        fn give_heap() {
            // SAFETY: called by `init` alone, which runs once, before all else.
            unsafe { HEAP.give() }
        }
    };
}

/// Without the feature `state` there is no allocator to give a heap to.
#[cfg(not(feature = "state"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __heap {
    ($options:ident) => {
        const _: () = assert!($options.heap == 0, "a heap needs the feature `state` of perigee-guest");

        fn give_heap() {}
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __number {
    ($name:literal, $value:expr) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            extern "C" fn number() -> usize {
                $value
            }
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __callback {
    (process, $options:ident, $slot:ident, $mailbox:ident) => {
        #[unsafe(export_name = "process")]
        extern "C" fn process(count: u32) {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::process(&$slot, count) }
        }
    };
    (generate, $options:ident, $slot:ident, $mailbox:ident) => {
        #[unsafe(export_name = "generate")]
        extern "C" fn generate(count: u32) {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::generate(&$slot, count) }
        }
    };
    (prefill, $options:ident, $slot:ident, $mailbox:ident) => {
        #[unsafe(export_name = "prefill")]
        extern "C" fn prefill(count: u32) {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::prefill(&$slot, count) }
        }
    };
    (tick, $options:ident, $slot:ident, $mailbox:ident) => {
        #[unsafe(export_name = "tick")]
        extern "C" fn tick() {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::tick(&$slot) }
        }
    };
    (message, $options:ident, $slot:ident, $mailbox:ident) => {
        #[unsafe(export_name = "message")]
        extern "C" fn message(len: u32) -> i32 {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::message(&$slot, &$mailbox, len) }
        }
    };
    (fields, $options:ident, $slot:ident, $mailbox:ident) => {
        #[unsafe(export_name = "fields")]
        extern "C" fn fields() -> i32 {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::fields(&$slot, &$mailbox) }
        }
    };
    (state, $options:ident, $slot:ident, $mailbox:ident) => {
        $crate::__number!("perigee_state_version", $options.state_version as usize);
        const _: () = assert!($options.region % 4096 == 0, "a state region has a multiple of 4096 bytes");
        // The host maps at a multiple of 2 MiB inside, as the window.
        const REGION_LEN: usize =
            if $options.region == 0 { 0 } else { $options.region + $crate::abi::STATE_ALIGN as usize };
        static REGION: $crate::area::Window<REGION_LEN> = $crate::area::Window::new();
        $crate::__number!("perigee_state", REGION.address());
        $crate::__number!("perigee_state_len", REGION_LEN);
        #[unsafe(export_name = "save")]
        extern "C" fn save() -> i32 {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::save(&$slot, &$mailbox) }
        }
        #[unsafe(export_name = "restore")]
        extern "C" fn restore(len: u32) -> i32 {
            // SAFETY: called by the host alone.
            unsafe { $crate::export::restore(&$slot, &$mailbox, len, Some($options.state_version)) }
        }
    };
}

#[cfg(all(target_arch = "wasm32", feature = "panic-handler"))]
mod panic {
    //! A panic says where it was, then traps: the host counts the batch as dropped and takes the instance out.
    use crate::{Level, Text};
    use core::panic::PanicInfo;

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        let mut line = Text::<200>::new();
        line.push("panic");
        if let Some(place) = info.location() {
            line.push(" at ").push(place.file()).push(":").push_number(place.line().into());
        }
        Level::Error.log(line.as_str());
        core::arch::wasm32::unreachable()
    }
}
