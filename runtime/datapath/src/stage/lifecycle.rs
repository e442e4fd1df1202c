//! A stage beside the data path: its beginning, its end, and what it is asked in between.

use super::Stage;
use crate::faults::Fault;
use crate::outlet::Outlets;
use perigee_abi::MAX_BATCH;
use perigee_core::HEADROOM;
use perigee_core::clock::Now;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::pool::Pool;
use perigee_evidence::{Case, Kind};
use perigee_wasm::instance::{Callback, Refusal};
use perigee_wasm::request::Request;
use perigee_wasm::tell::Outcome;
use perigee_wasm::trap::Trapped;
use std::sync::Arc;

impl Stage {
    /// The run ends: what the module still holds is freed and counted, its spare rooms go back.
    pub fn close(&mut self, out: &mut Outlets) {
        self.give_back(Counter::Stop, out);
    }

    /// Another instance takes this one's place: its packets go back to the host.
    pub fn retire(&mut self, out: &mut Outlets) {
        self.give_back(Counter::Replaced, out);
    }

    /// It has come into a chain that was running.
    pub fn installed(&mut self) {
        self.place.seat.health.installed();
        // Its state may be another instance's, which its own inputs do not lead to.
        if let Some(recorder) = self.witness.as_mut().and_then(|witness| witness.recorder.as_mut()) {
            recorder.renew();
        }
    }

    /// Frees what the module holds, counted by that cause, and its spare rooms.
    fn give_back(&mut self, cause: Counter, out: &mut Outlets) {
        while let Some(packet) = self.custody.held.pop() {
            out.drop_one(cause, packet);
        }
        self.free_spares();
        if let Some(before) = &mut self.succession.standby {
            before.free_spares();
        }
    }

    /// The module trapped or passed its deadline: its batch is lost, what it holds too, and it does not run again.
    #[cold]
    pub(super) fn fail(&mut self, trapped: Arc<Trapped>, burst: &mut Burst, out: &mut Outlets, now: Now) {
        let evidence = self.evidence(&trapped, burst, now);
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
    fn take_out(&mut self, trapped: Arc<Trapped>, evidence: Option<Box<Case>>, out: &mut Outlets, now: Now) {
        self.failed = Some(Arc::clone(&trapped));
        self.place.seat.health.failed(trapped.class);
        if let Some(ousted) = self.go_back(out, Counter::Trap) {
            self.succession.ousted = Some(ousted);
        } else {
            self.instance.rest();
            self.drop_held(out, Counter::Trap);
        }
        let (seat, sequence) = (Arc::clone(&self.place.seat), self.sequence);
        self.faults.push(Fault { seat, trapped, at_ns: now.ns, sequence, evidence });
    }

    /// Asks the module something, between two batches. A trap ends the instance as any other does, and so does an answer
    /// that breaks the ABI.
    pub fn ask(&mut self, request: &Request, out: &mut Outlets, now: Now) -> Result<Vec<u8>, Refusal> {
        if self.failed.is_some() {
            return Err(Refusal::No("the instance has failed".to_owned()));
        }
        let answer = self.called(|stage| match request {
            Request::Message(bytes) => {
                stage.asked(Kind::Message, bytes);
                stage.instance.message(bytes)
            }
            Request::Save => {
                stage.asked(Kind::Save, &[]);
                stage.instance.save()
            }
            Request::Restore(state) => stage.restore(stage.instance.state_version, state).map(|()| Vec::new()),
        });
        answer.inspect_err(|refusal| self.refused(refusal, out, now))
    }

    /// Hands the instance what another module has told it, between two batches, as a message that gets no reply. False where
    /// nothing waits.
    pub fn hear(&mut self, out: &mut Outlets, now: Now) -> bool {
        let Some(letter) = self.place.seat.inbox.take() else { return false };
        let mut outcome = Outcome::Refused;
        if self.failed.is_none() {
            let heard = self.called(|stage| {
                stage.asked(Kind::Message, letter.bytes());
                stage.instance.hear(letter.bytes())
            });
            match heard {
                Ok(()) => outcome = Outcome::Delivered,
                Err(refusal) => self.refused(&refusal, out, now),
            }
        }
        self.place.seat.inbox.put_back(letter, outcome);
        true
    }

    /// An instance that traps, or whose answer breaks the ABI, is taken out of use; one that says no works on.
    fn refused(&mut self, refusal: &Refusal, out: &mut Outlets, now: Now) {
        match refusal {
            Refusal::Trap(trapped) => {
                let evidence = self.evidence(trapped, &mut Burst::new(), now);
                self.take_out(Arc::clone(trapped), evidence, out, now);
            }
            Refusal::Broken(what) => self.take_out(Arc::new(Trapped::answer(what.clone())), None, out, now),
            Refusal::No(_) => {}
        }
    }

    /// Hands the instance a state of that version.
    pub(super) fn restore(&mut self, version: u32, state: &[u8]) -> Result<(), Refusal> {
        // A recording has the header as it is at the call.
        self.instance.announce_state(version);
        self.asked(Kind::Restore, state);
        self.instance.restore(version, state)
    }

    /// The module's counters, by the names that it gave them.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let values = self.instance.area.counters();
        let named = self.instance.counter_names().into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name?, value))).collect()
    }

    /// Packets held now.
    pub fn held(&self) -> usize {
        self.custody.held.len()
    }

    /// Shows each room of a generator's pool to the module, which writes its template.
    ///
    /// # Errors
    /// It traps, which may come with evidence; or it leaves a length that no packet can have.
    pub fn prefill(&mut self, pool: &Pool, now: Now) -> Result<(), (String, Option<Box<Case>>)> {
        self.unseen.clear();
        let mut seen = Vec::new();
        let mut first_len = None;
        loop {
            let left = usize::try_from(pool.available()).unwrap_or(0).min(MAX_BATCH);
            let mut burst = Burst::new();
            if left == 0 || pool.take(&mut burst, left) == 0 {
                break;
            }
            self.publish(&mut burst, &now);
            let n = u32::try_from(burst.len()).unwrap_or(0);
            if self.is_recorded() {
                self.record(Callback::Prefill, &mut burst);
            }
            if let Err(trapped) = self.instance.call(Callback::Prefill, n) {
                return Err((trapped.to_string(), self.evidence(&trapped, &mut burst, now)));
            }
            let longest = burst.iter_mut().map(|p| p.room_len()).next().unwrap_or(0).saturating_sub(HEADROOM);
            let len = self.prefilled(burst.len(), longest).map_err(|e| (e.to_string(), None))?;
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
        while let Some(packet) = self.custody.held.pop() {
            packet.free();
        }
        self.free_spares();
    }
}
