//! A stage beside the data path: its beginning, its end, and what it is asked in between.

use super::{Now, Stage};
use crate::counters::Counter;
use crate::dpdk::packet::Burst;
use crate::dpdk::pool::{HEADROOM, Pool};
use crate::evidence::Case;
use crate::fault::{Fault, FaultClass, Trapped};
use crate::lcore::Request;
use crate::outlet::Outlets;
use crate::wasm::instance::{Callback, Refusal};
use perigee_abi::MAX_BATCH;
use std::sync::Arc;

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
    pub(crate) fn installed(&mut self) {
        self.place.seat.health.installed();
        // Its state may be another instance's, which its own inputs do not lead to.
        self.instance.record(|recorder, _| recorder.renew());
    }

    /// Frees what the module holds, counted by that cause, and its spare rooms.
    fn give_back(&mut self, cause: Counter, out: &mut Outlets) {
        while let Some(packet) = self.held.pop() {
            out.drop_one(cause, packet);
        }
        self.free_spares();
        if let Some(before) = &mut self.standby {
            before.free_spares();
        }
    }

    /// The module trapped or passed its deadline: its batch is lost, what it holds too, and it does not run again.
    #[cold]
    pub(super) fn fail(&mut self, trapped: Trapped, burst: &mut Burst, out: &mut Outlets, now: Now) {
        let evidence = self.evidence(burst, now);
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
    fn take_out(&mut self, trapped: Trapped, evidence: Option<Box<Case>>, out: &mut Outlets, now: Now) {
        let Trapped { class, text } = trapped;
        self.failed = Some(text.clone());
        self.place.seat.health.failed(class);
        if let Some(ousted) = self.go_back(out, Counter::Trap) {
            self.ousted = Some(ousted);
        } else {
            self.drop_held(out, Counter::Trap);
        }
        let (seat, sequence) = (Arc::clone(&self.place.seat), self.sequence);
        self.faults.push(Fault { seat, class, text, at_ns: now.ns, sequence, evidence });
    }

    /// Asks the module something, between two batches. A trap ends the instance as any other does, and so does an answer
    /// that breaks the ABI.
    pub(crate) fn ask(&mut self, request: &Request, out: &mut Outlets, now: Now) -> Result<Vec<u8>, String> {
        if self.failed.is_some() {
            return Err("the instance has failed".to_owned());
        }
        self.place.seat.health.set_called(true);
        let answer = match request {
            Request::Message(bytes) => self.instance.message(bytes),
            Request::Save => self.instance.save(),
            Request::Restore(state) => self.instance.restore(self.instance.state_version, state).map(|()| Vec::new()),
        };
        self.place.seat.health.set_called(false);
        answer.map_err(|refusal| {
            let text = refusal.to_string();
            match refusal {
                Refusal::Trap(trapped) => {
                    let evidence = self.evidence(&mut Burst::new(), now);
                    self.take_out(trapped, evidence, out, now);
                }
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

    /// Shows each room of a generator's pool to the module, which writes its template.
    ///
    /// # Errors
    /// It traps, which may come with evidence; or it leaves a length that no packet can have.
    pub(crate) fn prefill(&mut self, pool: &Pool, now: Now) -> Result<(), (String, Option<Box<Case>>)> {
        self.unseen.clear();
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
            if self.instance.is_recorded() {
                self.record(Callback::Prefill, &mut burst);
            }
            if let Err(e) = self.instance.call(Callback::Prefill, n) {
                let text = Trapped::new(perigee_abi::names::PREFILL, &e).text;
                return Err((text, self.evidence(&mut burst, now)));
            }
            let longest = burst.iter_mut().map(|p| p.room_len()).next().unwrap_or(0).saturating_sub(HEADROOM);
            let len = self.prefilled(burst.len(), longest).map_err(|e| (e.text, None))?;
            first_len = first_len.or(len);
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
