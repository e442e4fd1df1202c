/* What differs between the releases of DPDK that Perigee is built with (22.11 of Debian 12, 24.11 of Debian 13), as far as it is seen
   when it compiles. Nothing else in the shim asks for a version. */
#ifndef PERIGEE_VERSIONS_H
#define PERIGEE_VERSIONS_H

#include <stdint.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "Perigee needs DPDK 22.11 or later, as Debian 12 has it"
#endif

/* Most queues of a net_tap port, in each direction. The driver tells it only of a port that is there. */
#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)
static const uint16_t PERIGEE_TAP_QUEUES = 64;
#else
static const uint16_t PERIGEE_TAP_QUEUES = 16;
#endif

#endif
