/** Sizes of a ring: the profile that fills them, and the memory they come to. */
import { EDITOR_PAGE_SIZE } from '../../src/options/rules';
import { PROFILE_FIELDS, RING_PROFILES, type ProfileGeometry } from '../../src/options/table';
import type { RingProfile } from '../../src/options/values';
import { explainChoice, field, fieldValue, rowsOf } from './fields';
import { isEnvironment, sizeText } from './text';

const geometryOf = (profile: string): ProfileGeometry | undefined => RING_PROFILES[profile as RingProfile];

/** Where a node starts from: its own default, which the table gives. */
const START = String(rowsOf('capture-in').find((row) => row.name === 'profile')?.nodeDefault ?? 'default');

type ProfileField = (typeof PROFILE_FIELDS)[number];

/**
 * The profile select fills the ring's fields and greys them; "custom" gives them free. In the flow a named profile leaves the sizes empty, and
 * "custom" is an empty profile with the sizes spelt out, since given sizes win over a profile.
 */
export function prepareProfile(node: EditorNode): void {
  const own = PROFILE_FIELDS.filter((name) => fieldValue(name) !== '');
  const saved = fieldValue('profile');
  // What an empty field of a custom ring comes to.
  for (const name of PROFILE_FIELDS) field(name).attr('placeholder', String(geometryOf(START)?.[name] ?? ''));
  if (own.length > 0 && !isEnvironment(saved)) {
    fill(geometryOf(saved) ?? geometryOf(START), (name) => !own.includes(name));
    field('profile').val('');
  } else if (saved === '') field('profile').val(START);

  const follow = (): void => {
    const profile = fieldValue('profile');
    const geometry = geometryOf(profile);
    if (geometry !== undefined) fill(geometry, () => true);
    for (const name of PROFILE_FIELDS) field(name).prop('disabled', geometry !== undefined);
  };
  field('profile').on('change', follow);
  follow();
  explainChoice(node, 'profile', 'capture-in.profile-about');
  summarize(() => ringText(node));
}

/** Empties what the profile has filled in: saved sizes would win over the profile for ever. */
export function saveProfile(): void {
  if (geometryOf(fieldValue('profile')) === undefined) return;
  for (const name of PROFILE_FIELDS) field(name).val('');
}

function fill(geometry: ProfileGeometry | undefined, wanted: (name: ProfileField) => boolean): void {
  if (geometry === undefined) return;
  for (const name of PROFILE_FIELDS) if (wanted(name)) field(name).val(String(geometry[name])).trigger('change');
}

/** Keeps the line `#netring-ring-summary` up to date. */
function summarize(text: () => string): void {
  const show = (): void => void $('#netring-ring-summary').text(text());
  for (const name of [...PROFILE_FIELDS, 'profile', 'frameCount']) field(name).on('change', show);
  show();
}

function ringText(node: EditorNode): string {
  const [size, count] = [effective('blockSize'), effective('blockCount')];
  if (size === undefined || count === undefined) return node._('capture-in.ring.unknown');
  return node._('capture-in.ring.summary', { count, size: sizeText(size), total: sizeText(size * count) });
}

/** The value that a field stands for, its default if it is empty; undefined when it is none. */
function effective(name: string): number | undefined {
  const text = fieldValue(name) === '' ? String(field(name).attr('placeholder') ?? '') : fieldValue(name);
  const value = Number(text);
  return text !== '' && !field(name).hasClass('input-error') && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** The transmit ring has no profiles. Slots do not cross the border of a block, so some sizes waste a part of each. */
export function prepareTransmitRing(node: EditorNode): void {
  summarize(() => {
    const [size, count] = [effective('frameSize'), effective('frameCount')];
    if (size === undefined || count === undefined) return node._('inject-out.ring.unknown');
    const block = Math.max(EDITOR_PAGE_SIZE, 2 ** Math.ceil(Math.log2(size)));
    const total = Math.ceil(count / Math.floor(block / size)) * block;
    const key = total === size * count ? 'summary' : 'rounded';
    return node._(`inject-out.ring.${key}`, { count, size: sizeText(size), total: sizeText(total) });
  });
}
