/** Which options of an AF_XDP socket do not go together. */
import type { Combination } from './rules';

export const XDP_COMBINATIONS: readonly Combination[] = [
  {
    option: 'frameCount',
    reads: ['frameCount', 'frameSize'],
    broken: (values) => Number(values['frameCount']) * Number(values['frameSize']) > 4294967295,
    text: 'frameCount {frameCount} of frameSize {frameSize} makes a memory of more than 4294967295 bytes',
  },
  {
    option: 'prefill',
    reads: ['prefill', 'mode'],
    broken: (values) => values['prefill'] !== 0 && values['mode'] !== 'custom',
    text: 'prefill {prefill} with mode {mode}: only mode custom takes it',
  },
  {
    option: 'prefill',
    reads: ['prefill', 'frameCount'],
    broken: (values) => Number(values['prefill']) > Number(values['frameCount']),
    text: 'prefill {prefill} is more than frameCount {frameCount}',
  },
  {
    option: 'mapPin',
    reads: ['mapPin'],
    broken: (values) => values['mapPin'] !== '' && !/^\/[^\0]+$/.test(String(values['mapPin'])),
    text: 'mapPin {mapPin} is no absolute path',
  },
  {
    option: 'mapPin',
    reads: ['mapPin', 'attach'],
    broken: (values) => values['mapPin'] !== '' && values['attach'] !== 'none',
    text: 'mapPin {mapPin} with attach {attach}: the map of a program from outside needs attach none',
  },
  {
    option: 'filter',
    reads: ['filter', 'attach'],
    broken: (values) => String(values['filter']) !== '' && values['attach'] === 'none',
    text: 'filter with attach {attach}: a filter is part of the program that attach none leaves out',
  },
  {
    option: 'maxBufferedBytes',
    reads: ['maxBufferedBytes', 'frameSize'],
    // Of 512 frames, in slabs of whole powers of 2. A reader still holds the batch before when it asks for the next one.
    broken: (values) => Number(values['maxBufferedBytes']) < 2048 * Number(values['frameSize']),
    text: 'maxBufferedBytes {maxBufferedBytes} is less than two batches take (2048 times frameSize {frameSize})',
  },
  {
    option: 'preferBusyPoll',
    reads: ['preferBusyPoll', 'busyPollUs'],
    broken: (values) => values['preferBusyPoll'] === true && values['busyPollUs'] === 0,
    text: 'preferBusyPoll {preferBusyPoll} needs busyPollUs',
  },
  {
    option: 'busyPollBudget',
    warns: true,
    reads: ['busyPollBudget', 'busyPollUs'],
    broken: (values) => values['busyPollBudget'] !== 0 && values['busyPollUs'] === 0,
    text: 'busyPollBudget {busyPollBudget} has no effect without busyPollUs',
  },
  {
    option: 'filter',
    warns: true,
    reads: ['filter', 'mode', 'prefill'],
    broken: (values) =>
      String(values['filter']) !== '' && (values['mode'] === 'tx' || (values['mode'] === 'custom' && values['prefill'] === 0)),
    text: 'filter has no effect with mode {mode} (prefill {prefill}): nothing is received',
  },
  {
    option: 'attach',
    warns: true,
    reads: ['attach', 'mapPin', 'mode', 'prefill'],
    broken: (values) =>
      values['attach'] === 'none' &&
      values['mapPin'] === '' &&
      values['mode'] !== 'tx' &&
      !(values['mode'] === 'custom' && values['prefill'] === 0),
    text: 'attach {attach} without mapPin: nothing arrives until a program from outside redirects frames to this socket',
  },
  {
    option: 'filter',
    warns: true,
    reads: ['filter', 'attach', 'mode', 'prefill'],
    broken: (values) =>
      String(values['filter']) === '' &&
      values['attach'] !== 'none' &&
      values['mode'] !== 'tx' &&
      !(values['mode'] === 'custom' && values['prefill'] === 0),
    text: 'without a filter the socket takes every frame of its queue away from the kernel: with one the others stay there',
  },
];
