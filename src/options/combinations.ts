/** The part of the table of options that tells which of them do not go together. */
import type { Combination, OptionValues } from './rules';
import type { OptionGroup } from './table';
import { XDP_COMBINATIONS } from './xdp-combinations';

/** A receive ring has whole frames in its blocks, and 32 bits of bytes. */
function ringRules(blockSize: string, blockCount: string, frameSize: string): Combination[] {
  return [
    {
      option: frameSize,
      reads: [frameSize, blockSize],
      broken: (values, _pageSize, reads) => Number(values[String(reads[0])]) > Number(values[String(reads[1])]),
      text: `${frameSize} {${frameSize}} exceeds ${blockSize} {${blockSize}}`,
    },
    {
      option: blockCount,
      reads: [blockCount, blockSize],
      broken: (values, _pageSize, reads) => Number(values[String(reads[0])]) * Number(values[String(reads[1])]) > 4294967295,
      text: `${blockCount} {${blockCount}} of ${blockSize} {${blockSize}} makes a ring of more than 4294967295 bytes`,
    },
  ];
}

/** The kernel takes the size of a send buffer as an int, and doubles it. */
function sendBufferRules(frameSize: string, frameCount: string): Combination[] {
  return [
    {
      option: frameCount,
      reads: [frameCount, frameSize],
      broken: (values, _pageSize, reads) => Number(values[String(reads[0])]) * Number(values[String(reads[1])]) > 1073741823,
      text: `${frameCount} {${frameCount}} of ${frameSize} {${frameSize}} makes a send buffer of more than 1073741823 bytes`,
    },
  ];
}

/** Rules over several options of a group, in the order in which they are checked. */
export const COMBINATIONS: Readonly<Record<OptionGroup, readonly Combination[]>> = {
  capture: [
    ...ringRules('blockSize', 'blockCount', 'frameSize'),
    {
      option: 'fanoutGroup',
      reads: ['fanoutGroup', 'fanoutMode'],
      broken: (values) => values['fanoutGroup'] !== 0 && values['fanoutMode'] === null,
      text: 'fanoutGroup {fanoutGroup} needs a fanoutMode',
    },
    {
      option: 'fanoutFlags',
      reads: ['fanoutFlags', 'fanoutMode'],
      broken: (values) => String(values['fanoutFlags']) !== '' && values['fanoutMode'] === null,
      text: 'fanoutFlags {fanoutFlags} need a fanoutMode',
    },
    {
      option: 'fanoutFlags',
      reads: ['fanoutFlags', 'fanoutMode'],
      broken: (values) => values['fanoutMode'] === 'rollover' && String(values['fanoutFlags']).split(',').indexOf('rollover') >= 0,
      text: 'fanoutFlags {fanoutFlags} with fanoutMode {fanoutMode}: a group that rolls over anyway takes no rollover flag',
    },
    {
      option: 'fanoutGroup',
      reads: ['fanoutGroup', 'fanoutFlags'],
      broken: (values) => values['fanoutGroup'] !== 0 && String(values['fanoutFlags']).split(',').indexOf('unique-id') >= 0,
      text: 'fanoutGroup {fanoutGroup} with fanoutFlags {fanoutFlags}: the kernel picks the group of unique-id, so fanoutGroup must be 0',
    },
    {
      option: 'maxBufferedBytes',
      reads: ['maxBufferedBytes', 'blockSize'],
      // A reader still holds the batch before when it asks for the next one.
      broken: (values) => Number(values['maxBufferedBytes']) < 2 * Number(values['blockSize']),
      text: 'maxBufferedBytes {maxBufferedBytes} is less than two blocks (blockSize {blockSize})',
    },
    {
      option: 'frameSize',
      reads: ['frameSize', 'latency'],
      broken: (values) => values['latency'] === 'immediate' && Number(values['frameSize']) < 256,
      text: 'frameSize {frameSize} with latency {latency}: a slot has at least 256 bytes',
    },
    {
      option: 'blockTimeoutMs',
      warns: true,
      given: ['blockTimeoutMs'],
      reads: ['blockTimeoutMs', 'latency'],
      broken: (values) => values['latency'] === 'immediate',
      text: 'blockTimeoutMs {blockTimeoutMs} has no effect with latency {latency}: packets wait for no block',
    },
    {
      option: 'fillRxhash',
      warns: true,
      given: ['fillRxhash'],
      reads: ['fillRxhash', 'latency'],
      broken: (values) => values['latency'] === 'immediate' && values['fillRxhash'] === true,
      text: 'fillRxhash {fillRxhash} has no effect with latency {latency}: the kernel fills it into blocks only',
    },
    {
      option: 'rcvbufForce',
      warns: true,
      reads: ['rcvbufForce', 'rcvbuf'],
      broken: (values) => values['rcvbufForce'] === true && values['rcvbuf'] === 0,
      text: 'rcvbufForce {rcvbufForce} has no effect without rcvbuf',
    },
  ],
  injector: [
    {
      option: 'frameCount',
      reads: ['frameCount', 'frameSize'],
      broken: (values: OptionValues, pageSize: number): boolean => {
        const blockSize = Math.max(pageSize, Math.pow(2, Math.ceil(Math.log2(Number(values['frameSize'])))));
        const perBlock = Math.floor(blockSize / Number(values['frameSize']));
        return Math.ceil(Number(values['frameCount']) / perBlock) * blockSize > 4294967295;
      },
      text: 'frameCount {frameCount} of frameSize {frameSize} makes a ring of more than 4294967295 bytes',
    },
  ],
  bridge: [
    {
      option: 'interfaceB',
      reads: ['interfaceA', 'interfaceB'],
      broken: (values) => values['interfaceA'] === values['interfaceB'],
      text: 'interfaceB {interfaceB} is interfaceA as well: a bridge has two ends',
    },
    ...ringRules('aBlockSize', 'aBlockCount', 'aFrameSize'),
    ...ringRules('bBlockSize', 'bBlockCount', 'bFrameSize'),
    ...sendBufferRules('txAFrameSize', 'txAFrameCount'),
    ...sendBufferRules('txBFrameSize', 'txBFrameCount'),
  ],
  xdp: XDP_COMBINATIONS,
  'capture-in': [],
  'xdp-node': [],
  'bridge-node': [
    {
      option: 'tap',
      warns: true,
      reads: ['tap', 'mode'],
      broken: (values) => values['tap'] !== 'off' && values['mode'] === 'inline',
      text: 'tap {tap} has no effect in mode {mode}: the flow sees every frame anyway',
    },
  ],
  'inject-out': [
    {
      option: 'rate',
      reads: ['rate', 'pacing'],
      broken: (values) => values['rate'] === null && (values['pacing'] === 'pps' || values['pacing'] === 'bps'),
      text: 'rate is required with pacing {pacing}',
    },
  ],
};
