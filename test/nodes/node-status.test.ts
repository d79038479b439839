/** What a node shows, how often, and how it tries again. */
import assert from 'node:assert/strict';
import { QuietLog } from '../../nodes/runtime/log';
import { shortCount, statusOf, StatusLine, troubleOf, type NodeStatus } from '../../nodes/runtime/node-status';
import { Retry } from '../../nodes/runtime/retry';
import { NetringError } from '../../src/errors/errors';
import { FakeClock } from './fake-clock';

describe('status line', () => {
  const text = (count: number): NodeStatus => statusOf('up', `${count} pps`);

  it('shows the first at once, then the latest once a second, and only changes', () => {
    const clock = new FakeClock();
    const shown: [number, string][] = [];
    const line = new StatusLine((status) => shown.push([clock.now(), status.text]), clock);
    line.set(text(1));
    line.set(text(2));
    line.set(text(3));
    clock.advance(999);
    assert.deepEqual(shown, [[0, '1 pps']]);
    clock.advance(1);
    assert.deepEqual(shown.at(-1), [1000, '3 pps']);
    line.set(text(3));
    clock.advance(5000);
    assert.equal(shown.length, 2);
    line.set(text(4));
    assert.deepEqual(shown.at(-1), [6000, '4 pps']);
    line.set(text(5));
    line.set(text(4));
    clock.advance(5000);
    assert.equal(shown.length, 3);
  });

  it('is silent after close', () => {
    const clock = new FakeClock();
    const shown: string[] = [];
    const line = new StatusLine((status) => shown.push(status.text), clock);
    line.set(text(1));
    line.set(text(2));
    line.close();
    clock.advance(5000);
    assert.deepEqual([shown, clock.pending], [['1 pps'], 0]);
  });

  it('writes counts to be read while they change', () => {
    const counts = [0, 0.33, 9.96, 12.4, 999, 1000, 84_213, 999_949, 999_950, 1_120_000].map(shortCount);
    assert.deepEqual(counts, ['0', '0.3', '10', '12', '999', '1.0k', '84.2k', '999.9k', '1.0M', '1.1M']);
  });
});

describe('trouble', () => {
  const trouble = (errno: number, step: string): string => {
    const { state, text, passing } = troubleOf(NetringError.fromNative({ errno, step, interface: 'eth7' }), 'eth7');
    return `${state}: ${text}${passing ? '' : ', for good'}`;
  };

  it('names what keeps an AF_XDP socket from opening', () => {
    assert.equal(trouble(16, 'bind'), 'error: another socket is bound to this queue');
    assert.equal(trouble(16, 'BPF_LINK_CREATE'), 'error: another XDP program is attached');
    assert.equal(trouble(1, 'BPF_PROG_LOAD'), 'denied: needs CAP_BPF and CAP_NET_ADMIN');
    assert.equal(trouble(13, 'BPF_PROG_LOAD'), 'error: BPF_PROG_LOAD: EACCES', 'the verifier');
    assert.equal(trouble(2, 'BPF_OBJ_GET'), 'error: nothing is pinned at mapPin');
    assert.equal(trouble(95, 'BPF_LINK_CREATE'), 'error: use attach auto or skb');
    assert.equal(trouble(22, 'queueId'), 'error: bad queueId');
  });

  it('names state and remedy, and says what time cannot heal', () => {
    assert.equal(trouble(1, 'socket'), 'denied: needs CAP_NET_RAW');
    assert.equal(trouble(1, 'SO_RCVBUFFORCE'), 'denied: needs CAP_NET_ADMIN');
    assert.equal(trouble(19, 'if_nametoindex'), 'missing: eth7 missing');
    assert.equal(trouble(12, 'PACKET_RX_RING'), 'error: no memory for the ring');
    assert.equal(trouble(12, 'SO_ATTACH_FILTER'), 'error: the filter is too long for the kernel');
    assert.equal(trouble(98, 'PACKET_FANOUT'), 'error: PACKET_FANOUT: EADDRINUSE');
    const config = troubleOf(NetringError.config('blockSize 3 is not a power of 2', 'blockSize'), 'eth7');
    assert.deepEqual([config.state, config.text, config.passing], ['error', 'bad blockSize', false]);
    const platform = new NetringError('Io', 'Linux only: this is darwin', { code: 'ERR_UNSUPPORTED_PLATFORM' });
    assert.deepEqual([troubleOf(platform, 'eth7').state, troubleOf(platform, 'eth7').passing], ['error', false]);
  });

  it('has the hint in its message', () => {
    const { message } = troubleOf(NetringError.fromNative({ errno: 1, step: 'socket', interface: 'eth7' }), 'eth7');
    assert.match(message, /insufficient privileges.*\. .*CAP_NET_RAW/);
  });
});

describe('retry', () => {
  it('every second, every five after a minute, until reset', () => {
    const clock = new FakeClock();
    const attempts: number[] = [];
    const retry = new Retry(() => {
      attempts.push(clock.now());
      retry.schedule();
    }, clock);
    retry.schedule();
    retry.schedule();
    clock.advance(75_000);
    assert.deepEqual(attempts.slice(0, 3), [1000, 2000, 3000]);
    assert.deepEqual(attempts.slice(-4), [60_000, 65_000, 70_000, 75_000]);
    retry.reset();
    clock.advance(60_000);
    assert.equal(attempts.at(-1), 75_000);
    retry.schedule();
    clock.advance(1000);
    assert.equal(attempts.length, 60 + 4);
    retry.reset();
  });
});

describe('log', () => {
  it('says what repeats once, until all was well', () => {
    const said: string[] = [];
    const note = (text: string): void => void said.push(text);
    const log = new QuietLog({ info: note, warn: note, error: note });
    for (const text of ['a', 'a', 'b', 'a']) log.error(text);
    assert.deepEqual(said, ['a', 'b']);
    log.forget();
    log.error('a');
    assert.deepEqual(said, ['a', 'b', 'a']);
  });
});
