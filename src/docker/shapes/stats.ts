/** How much a container takes, moment by moment. Counters have 64 bits. */

import { uses } from '../marks.ts';
import { int, list, map, object, since, text } from '../shape.ts';

const blockCounters = list(object({ major: int(), minor: int(), op: text(), value: int() }));

const processor = object({
  cpu_usage: object({
    total_usage: int(),
    percpu_usage: list(int()),
    usage_in_kernelmode: int(),
    usage_in_usermode: int(),
  }),
  system_cpu_usage: int(),
  online_cpus: since('1.27', int()),
  throttling_data: object({ periods: int(), throttled_periods: int(), throttled_time: int() }),
});

export const stats = object({
  name: text(uses('container', 'slashed')),
  id: text(uses('container', 'id')),
  os_type: since('1.52', text()),
  read: text(),
  preread: text(),
  num_procs: int(),
  pids_stats: object({ current: int(), limit: int() }),
  blkio_stats: object({
    io_service_bytes_recursive: blockCounters,
    io_serviced_recursive: blockCounters,
    io_queue_recursive: blockCounters,
    io_service_time_recursive: blockCounters,
    io_wait_time_recursive: blockCounters,
    io_merged_recursive: blockCounters,
    io_time_recursive: blockCounters,
    sectors_recursive: blockCounters,
  }),
  storage_stats: object({
    read_count_normalized: int(),
    read_size_bytes: int(),
    write_count_normalized: int(),
    write_size_bytes: int(),
  }),
  cpu_stats: processor,
  precpu_stats: processor,
  memory_stats: object({
    usage: int(),
    max_usage: int(),
    stats: map(int()),
    failcnt: int(),
    limit: int(),
    commitbytes: int(),
    commitpeakbytes: int(),
    privateworkingset: int(),
  }),
  networks: map(
    object({
      rx_bytes: int(),
      rx_packets: int(),
      rx_errors: int(),
      rx_dropped: int(),
      tx_bytes: int(),
      tx_packets: int(),
      tx_errors: int(),
      tx_dropped: int(),
      endpoint_id: text(),
      instance_id: text(),
    }),
  ),
});
