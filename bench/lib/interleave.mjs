/** Measurements side by side. */
export const REPETITIONS = 3;

/**
 * Measures every command several times, interleaved, so that a slow minute of the machine hits all alike. One that fails is told and left out.
 *
 * @template Command, Result
 * @param {Map<string, Command>} commands
 * @param {(command: Command) => Promise<Result>} measure
 * @returns {Promise<Map<string, Result[]>>}
 */
export async function interleave({ progress, fail }, title, commands, measure) {
  const measured = new Map([...commands.keys()].map((name) => [name, []]));
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    for (const [name, runs] of measured) {
      progress(`${title}, run ${repetition + 1} of ${REPETITIONS}: ${name}`);
      try {
        runs.push(await measure(commands.get(name)));
      } catch (error) {
        fail(`${name}: ${error.message}`);
        measured.delete(name);
      }
    }
  }
  return measured;
}
