//! Parts of the page: what is said of each.

/// A part: as results call it.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// Why rows miss their aims, where some do.
    pub(super) why: &'static str,
    pub(super) has_picture: bool,
}

pub(super) const PARTS: [Part; 10] = [
    Part {
        name: "opponents",
        title: "The works, and who else does them",
        about: "Burst 64, 60 bytes. A module beside C and beside Rust on the same pool, beside C on ordinary mbufs, beside LuaJIT with FFI structs as \
                scripts for MoonGen are written, beside DPDK's testpmd and beside eBPF; and what other decisions would have cost the module's call. \
                `route-100k` on packets in memory is the guest's part alone: the router's call beside a program of eBPF that checks and changes the \
                same. testpmd is a process of its own, and its figures are of windows of time: nothing says whether the core was quiet. \
                Without huge pages DPDK gives each ordinary mbuf a page of its own and begins it at the same place there, so all their headers fall into one set of \
                the L1 cache: testpmd's do, and those of `c, mbufs`; those of Perigee's window do not.",
        why: "The guest's own part is at most the twin's where packets are made (a swap's is one or two cycles more), so what is missed is the way to the module and back: a part of a burst's fixed cost, descriptors \
              that are written and read, and the rest of the loop (\"A burst taken apart\", below). Beside LuaJIT the aim is far below the twin in C; \
              where C itself misses it, ports and pool take more of the whole than the script does. The eBPF programs check what the router's fast \
              path checks, but compare no access with the end of anything, keep no counters, and have one entry of a table of 32 MiB where the router \
              looks at three words.",
        has_picture: true,
    },
    Part {
        name: "functions",
        title: "Network functions",
        about: "A module beside C that checks and changes the same, between two net_ring ports. C makes the packets and takes them away, which is not \
                measured. Behind the colon stands what the twin looks up with. Aims allow 12 cycles for a stage. Firewall: the packets are those of 65,536 \
                flows, whose first packets were judged before.",
        why: "By samples of the modules' machine code, ports and the stage take some 17 cycles; the rest of what a hot router takes goes \
              in equal parts to reading and checking packets, looking up, and writing headers. No part of it is slow. Each access is compared with the end of its \
              slice, each turn of a loop looks at the epoch, and the engine keeps on the stack what a compiler for this CPU alone keeps in registers, \
              so there are more instructions than in the twin. Where tables are large, waiting for memory comes on top: the router looks at a \
              shortcut, a node and a value, where DIR24-8 has one entry of 32 MiB, for which the module's region has no room; NAT and balancer look at a \
              chain and at a session, and the chains of NAT are as many as it is configured for, so they are on as many pages. WebAssembly has no instruction \
              that asks for memory ahead: loads whose values nobody needs stand for it.",
        has_picture: true,
    },
    Part {
        name: "fields",
        title: "The field engine, compiled",
        about: "What stream-gen varies as machine code, and interpreted, beside modules in whose code the same fields stand.",
        why: "The call alone is a few cycles, so two more are a third of it. The whole loop has them as well, beside all that port and pool take.",
        has_picture: false,
    },
    Part {
        name: "works",
        title: "Bursts",
        about: "Whole loops at bursts from 1 to 256, beside C. `price:burst` is the fixed cost of a burst: by how \
                many cycles a burst of a template takes longer than its twin's.",
        why: "What is fixed in a burst is paid by one packet at burst 1: the clock is read, the call crosses into the sandbox and back, the module's loops begin and \
              end, counters are written, and each place where something may be pending is looked at. MAC swap has the port's receiving side on top: net_ring \
              itself takes so little that the whole of the module's way is several times the twin.",
        has_picture: true,
    },
    Part {
        name: "varied",
        title: "Where packets lie, their length, lcores",
        about: "A MAC swap on net_ring: with packets that come again after a thousand others and after sixteen thousand; of three lengths. A scan of each \
                byte of a payload of 1,500 (the Internet checksum), with packets that come again after a thousand others and after as many as a window of \
                512 MiB has room for: what of them is read is larger than the cache where its row says so. And a template on one lcore and on two (cycles \
                of one CPU for a packet of all lcores).",
        why: "The difference to the twin hardly grows with the working set and not with the length: it is the stage, as above, not memory. The scan reads 16 bytes \
              with an instruction, as the twin does; each access is compared with the end of its slice, and vectors in WebAssembly are no wider.",
        has_picture: false,
    },
    Part {
        name: "stages",
        title: "Chains",
        about: "Chains of 1, 2, 4 and 8 modules (`stage:+0` to `stage:+7`), and a hop over a ring. `price:stage` is one more stage, \
                of which `price:stage's loop` is the guest's own, and the rest what stands beside it.",
        why: "Each stage is called and its verdicts are read by itself: publish, crossing and collect are paid again, but for what is known from the stage before.",
        has_picture: false,
    },
    Part {
        name: "pieces",
        title: "A burst taken apart",
        about: "What the way through a module consists of. `sum:boundary` is publish, crossing and collect. `sum:safety` is what could be left out if modules \
                were trusted: looks at the epoch (from \"Prices of decisions\" of the same run) and all of collect, which is more than its checks alone; its \
                aim is a twentieth of the whole.",
        why: "Publish reads each packet's mbuf and writes its descriptor, collect reads that back; what is checked of descriptors is part of collect, which cannot be \
              measured without its checks, so the sum for safety is an upper bound.",
        has_picture: false,
    },
    Part {
        name: "grants",
        title: "Grants and trust domains",
        about: "A generator and a stage, by what the stage is granted. `price` is what each costs above the same without. No limit is reached.",
        why: "A border copies each packet into a room of the other domain, which is a room taken, a copy of 60 bytes, and a room given back; a limit of source addresses copies as well, and \
              parses the headers of the copy. A limit of rate counts packets and bytes of a batch.",
        has_picture: false,
    },
    Part {
        name: "pacing",
        title: "Pacing",
        about: "A generator whose packets are all due, by what its stream says. `price` is what each costs above one without a stream.",
        why: "",
        has_picture: false,
    },
    Part {
        name: "measuring",
        title: "Measuring",
        about: "Probes: written into each packet of a stream (`price:stamp`); that, and read by the chain that receives them (`price:probe`); a look at packets \
                that are none (`price:no probe`).",
        why: "",
        has_picture: false,
    },
];
