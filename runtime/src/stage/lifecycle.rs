//! A stage beside the data path: its beginning, its end, and what it is asked in between.

use super::{MIN_LEN, Now, Stage};
use crate::counters::Counter;
use crate::dpdk::packet::Burst;
use crate::dpdk::pool::{HEADROOM, Pool};
use crate::fault::{Evidence, Fault, FaultClass, Trapped};
use crate::lcore::Request;
use crate::outlet::Outlets;
use crate::wasm::instance::{Callback, Refusal};
use perigee_abi::MAX_BATCH;

impl Stage {
    /// The run ends: what the module still holds is freed and counted, its spare rooms go back.
    pub(crate) fn close(&mut self, out: &mut Outlets) {
        self.give_back(Counter::Stop, out);
    }

    /// Another instance takes this one's place: its packets go back to the host.
    pub(crate) fn retire(&mut self, out: &mut Outlets) {
        self.give_back(Counter::Replaced, out);
    }

    /// It has come into a chain that was running.
    pub(crate) fn installed(&self) {
        self.place.health.installed();
    }

    /// Frees what the module holds, counted by that cause, and its spare rooms.
    fn give_back(&mut self, cause: Counter, out: &mut Outlets) {
        while let Some(packet) = self.held.pop() {
            out.drop_one(cause, packet);
        }
        self.free_spares();
    }

    fn free_spares(&mut self) {
        for packet in self.spares.iter_mut().filter_map(Option::take) {
            packet.free();
        }
    }

    /// The module trapped or passed its deadline: its batch is lost, what it holds too, and it does not run again.
    #[cold]
    pub(super) fn fail(&mut self, trapped: Trapped, burst: &mut Burst, out: &mut Outlets, now: Now) {
        let evidence = self.place.faults.wants_evidence().then(|| Box::new(Evidence {}));
        self.discard(Counter::Trap, burst, out);
        self.take_out(trapped, evidence, out, now);
    }

    /// Without an instance a burst passes by untouched, or is dropped, as the module's entry says.
    pub(super) fn skip(&self, burst: &mut Burst, out: &mut Outlets) {
        if self.open {
            out.counters.add(Counter::Bypassed, burst.len());
        } else {
            self.discard(Counter::Failed, burst, out);
        }
    }

    /// Drops a burst; the rooms of a generator, which are no packets yet, just go back.
    fn discard(&self, cause: Counter, burst: &mut Burst, out: &mut Outlets) {
        if self.callback == Callback::Generate {
            burst.free_all();
        } else {
            out.drop_all(cause, burst);
        }
    }

    /// The instance is not to be trusted any more.
    fn take_out(&mut self, trapped: Trapped, evidence: Option<Box<Evidence>>, out: &mut Outlets, now: Now) {
        while let Some(packet) = self.held.pop() {
            out.drop_one(Counter::Trap, packet);
        }
        let Trapped { class, text } = trapped;
        self.failed = Some(text.clone());
        self.place.health.failed(class);
        let (seat, sequence) = (self.place.seat, self.sequence);
        self.place.faults.push(Fault { seat, class, text, at_ns: now.ns, sequence, evidence });
    }

    /// Asks the module something, between two batches. A trap ends the instance as any other does, and so does an answer
    /// that breaks the ABI.
    pub(crate) fn ask(&mut self, request: &Request, out: &mut Outlets, now: Now) -> Result<Vec<u8>, String> {
        if self.failed.is_some() {
            return Err("the instance has failed".to_owned());
        }
        self.place.health.set_called(true);
        let answer = match request {
            Request::Message(bytes) => self.instance.message(bytes),
            Request::Save => self.instance.save(),
            Request::Restore(state) => self.instance.restore(self.instance.state_version, state).map(|()| Vec::new()),
        };
        self.place.health.set_called(false);
        answer.map_err(|refusal| {
            let text = refusal.to_string();
            match refusal {
                Refusal::Trap(trapped) => self.take_out(trapped, None, out, now),
                Refusal::Broken(what) => {
                    self.take_out(Trapped { class: FaultClass::Answer, text: what }, None, out, now);
                }
                Refusal::No(_) => {}
            }
            text
        })
    }

    /// The module's counters, by the names that it gave them.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let values = self.instance.area.counters();
        let named = self.instance.counter_names().into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name?, value))).collect()
    }

    /// Packets held now.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Shows each room of a generator's pool to the module, which writes its template. Returns where it traps.
    pub(crate) fn prefill(&mut self, pool: &Pool, now: Now) -> Result<(), String> {
        let mut seen = Vec::new();
        let mut first_len = None;
        loop {
            let left = usize::try_from(pool.available()).unwrap_or(0).min(MAX_BATCH);
            let mut burst = Burst::new();
            if left == 0 || pool.take(&mut burst, left) == 0 {
                break;
            }
            self.publish(&mut burst, now);
            // Each call has its own time, and they all come at one moment of the run's.
            self.instance.restart_deadline();
            let n = u32::try_from(burst.len()).unwrap_or(0);
            let called = self.instance.call(Callback::Prefill, n);
            called.map_err(|e| Trapped::new(perigee_abi::names::PREFILL, &e).text)?;
            let longest = burst.iter_mut().map(|p| p.room_len()).next().unwrap_or(0).saturating_sub(HEADROOM);
            for desc in self.instance.area.packets(burst.len()) {
                let len = desc.collect().len;
                if len < MIN_LEN || len > longest {
                    return Err(format!("prefill made a packet of {len} bytes, a room takes {MIN_LEN} to {longest}"));
                }
                first_len.get_or_insert(len);
            }
            seen.push(burst);
        }
        self.template_len = first_len.unwrap_or(self.template_len);
        Ok(())
    }
}

/// A stage that never came into a chain, or was taken out of it, keeps no packet.
impl Drop for Stage {
    fn drop(&mut self) {
        while let Some(packet) = self.held.pop() {
            packet.free();
        }
        self.free_spares();
    }
}
