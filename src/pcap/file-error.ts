/** What can be wrong with a capture file, always with the byte offset at which it was noticed. */
import { NetringError } from '../errors/errors';

/** The bytes contradict the format. */
export function invalidFile(offset: number, what: string, hint = ''): NetringError {
  return new NetringError('Io', `invalid capture file at byte ${offset}: ${what}`, { code: 'ERR_INVALID_FILE', hint });
}

/** The file ends inside something that begins at `offset`. */
export function truncatedFile(offset: number, what: string, needed: number, present: number): NetringError {
  return new NetringError('Io', `truncated capture file at byte ${offset}: ${what} needs ${needed} bytes, ${present} are there`, {
    code: 'ERR_TRUNCATED_FILE',
  });
}
