import assert from 'node:assert/strict';
import { readXdpStats, type XdpReading } from '../../src/xdp/xdp-stats';

/** In the order of `XdpCounter`: packets, bytes, refiltered, buffered, stalls, sent, sent bytes, send errors, then the kernel's six. */
function read(words: readonly number[], collections = 0): XdpReading {
  return readXdpStats({ statistics: (out) => out.set(words) }, collections);
}

const EARLY = [100, 6400, 2, 4096, 1, 50, 3000, 1, 7, 1, 2, 5, 7, 9];
const LATE = [300, 19200, 3, 8192, 1, 90, 5400, 1, 17, 1, 2, 25, 17, 19];

describe('xdp: statistics', () => {
  it("has the kernel's counters under the kernel's names", () => {
    const { kernel } = read(EARLY);
    assert.deepEqual(
      { ...kernel },
      { rx_dropped: 7, rx_invalid_descs: 1, tx_invalid_descs: 2, rx_ring_full: 5, rx_fill_ring_empty_descs: 7, tx_ring_empty_descs: 9 },
    );
    assert.equal(kernel.toString(), 'rx_dropped=7 rx_invalid=1 tx_invalid=2 rx_ring_full=5 rx_fill_empty=7 tx_ring_empty=9');
  });

  it('counts each lost frame once: those without a chunk are in rx_dropped already', () => {
    assert.equal(read(EARLY).kernel.dropped, 12);
    assert.equal(read(EARLY).socket.drops, 12);
    assert.equal(read(EARLY).socket.received, 100 + 2 + 12);
  });

  it('has both directions', () => {
    const { socket } = read(EARLY, 3);
    assert.deepEqual(
      { ...socket },
      {
        packets: 100,
        bytes: 6400,
        received: 114,
        drops: 12,
        freezes: 0,
        refiltered: 2,
        stalls: 1,
        collections: 3,
        bufferedBytes: 4096,
        sent: 50,
        sentBytes: 3000,
        sendErrors: 1,
      },
    );
    assert.equal(socket.toString(), 'packets: 100, drops: 12, sent: 50, sendErrors: 1');
  });

  it('tells what was counted in between', () => {
    const delta = read(LATE).socket.since(read(EARLY).socket);
    assert.deepEqual([delta.packets, delta.bytes, delta.drops, delta.received], [200, 12800, 30, 231]);
    assert.deepEqual([delta.sent, delta.sentBytes, delta.sendErrors], [40, 2400, 0]);
    assert.equal(delta.bufferedBytes, 8192, 'never a difference');
    const kernel = read(LATE).kernel.since(read(EARLY).kernel);
    assert.equal(kernel.toString(), 'rx_dropped=10 rx_invalid=0 tx_invalid=0 rx_ring_full=20 rx_fill_empty=10 tx_ring_empty=10');
    assert.equal(kernel.dropped, 30);
  });
});
