import assert from 'node:assert/strict';
import { suggestFanoutThreads, suggestProfile } from '@netring/node-red';
import { availableParallelism } from 'node:os';
import { profileFor } from '../../src/interfaces/suggestions';

const GiB = 2 ** 30;
const link = { mtu: 1500, speed: 0, loopback: false };

// The names are those of netring's own tests.
describe('suggestions', () => {
  it('suggest_profile_jumbo, suggest_profile_high_throughput, and what lies below', () => {
    assert.equal(profileFor({ ...link, mtu: 9000, speed: 25_000 }, 64 * GiB), 'jumbo-frames');
    assert.equal(profileFor({ ...link, speed: 10_000 }, 64 * GiB), 'high-throughput');
    assert.equal(profileFor({ ...link, speed: 2500 }, 64 * GiB), 'default');
    assert.equal(profileFor({ ...link, speed: 1000 }, 64 * GiB), 'default');
    assert.equal(profileFor({ ...link, speed: 100 }, 64 * GiB), 'low-memory');
    assert.equal(profileFor(link, 64 * GiB), 'low-memory', 'a speed that nobody knows');
  });

  it('take an eighth of the memory at most', () => {
    assert.equal(profileFor({ ...link, speed: 10_000 }, 8 * GiB), 'high-throughput');
    assert.equal(profileFor({ ...link, speed: 10_000 }, 4 * GiB), 'default');
    assert.equal(profileFor({ ...link, speed: 10_000 }, GiB), 'balanced');
    assert.equal(profileFor({ ...link, speed: 1000 }, GiB), 'balanced');
    assert.equal(profileFor({ ...link, mtu: 9000 }, GiB), 'balanced');
  });

  it('know that the MTU of loopback is no jumbo frame', () => {
    assert.equal(profileFor({ mtu: 65_536, speed: 0, loopback: true }, 64 * GiB), 'balanced');
    assert.equal(suggestProfile({ mtu: 65_536, speed: 0, loopback: true }), 'balanced');
  });

  it('suggest_fanout_threads_capped', () => {
    assert.equal(suggestFanoutThreads({ queues: 10_000 }), availableParallelism());
    assert.equal(suggestFanoutThreads({ queues: 1 }), 1);
    assert.equal(suggestFanoutThreads({ queues: 0 }), 1);
  });
});
