/** Sizes of a ring: the profile that fills them, and the memory they come to. */
import { EDITOR_PAGE_SIZE } from '../../src/options/rules';
import { PROFILE_FIELDS, RING_PROFILES, type ProfileGeometry } from '../../src/options/table';
import type { RingProfile } from '../../src/options/values';
import { explainChoice, field, fieldValue, rowsOf } from './fields';
import { isEnvironment, sizeText, textOf } from './text';

const geometryOf = (profile: string): ProfileGeometry | undefined => RING_PROFILES[profile as RingProfile];

/** Where a node starts from: its own default, which the table gives. */
const START = String(rowsOf('capture-in').find((row) => row.name === 'profile')?.nodeDefault ?? 'default');

type ProfileField = (typeof PROFILE_FIELDS)[number];
/** What the names of a ring's fields begin with: nothing, or the port it belongs to. */
type Prefix = '' | 'a' | 'b';

const nameOf = (prefix: Prefix, name: ProfileField): string =>
  prefix === '' ? name : `${prefix}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
const namesOf = (prefixes: readonly Prefix[]): string[] => prefixes.flatMap((prefix) => PROFILE_FIELDS.map((name) => nameOf(prefix, name)));

/**
 * The profile select fills the fields of the rings and greys them; "custom" gives them free. In the flow a named profile leaves the sizes empty,
 * and "custom" is an empty profile with the sizes spelt out, since given sizes win over a profile.
 */
export function prepareProfile(node: EditorNode, prefixes: readonly Prefix[]): void {
  const own = namesOf(prefixes).filter((name) => fieldValue(name) !== '');
  const saved = fieldValue('profile');
  // What an empty field of a custom ring comes to.
  const start = geometryOf(START);
  for (const prefix of prefixes)
    for (const name of PROFILE_FIELDS) field(nameOf(prefix, name)).attr('placeholder', String(start?.[name] ?? ''));
  if (own.length > 0 && !isEnvironment(saved)) {
    fill(geometryOf(saved) ?? start, prefixes, (name) => !own.includes(name));
    field('profile').val('');
  } else if (saved === '') field('profile').val(START);

  const follow = (): void => {
    const geometry = geometryOf(fieldValue('profile'));
    if (geometry !== undefined) fill(geometry, prefixes, () => true);
    for (const name of namesOf(prefixes)) field(name).prop('disabled', geometry !== undefined);
  };
  field('profile').on('change', follow);
  follow();
  const type = String(node['type']).replace('netring-', '');
  explainChoice(node, 'profile', `${type}.profile-about`);
  summarize(namesOf(prefixes), () => ringText(node, prefixes));
}

/** Empties what the profile has filled in: saved sizes would win over the profile for ever. */
export function saveProfile(prefixes: readonly Prefix[]): void {
  if (geometryOf(fieldValue('profile')) === undefined) return;
  for (const name of namesOf(prefixes)) field(name).val('');
}

function fill(geometry: ProfileGeometry | undefined, prefixes: readonly Prefix[], wanted: (name: string) => boolean): void {
  if (geometry === undefined) return;
  for (const prefix of prefixes) {
    for (const name of PROFILE_FIELDS) {
      const full = nameOf(prefix, name);
      if (wanted(full)) field(full).val(String(geometry[name])).trigger('change');
    }
  }
}

/** Keeps the line `#netring-ring-summary` up to date. */
function summarize(names: readonly string[], text: () => string): void {
  const show = (): void => void $('#netring-ring-summary').text(text());
  for (const name of [...names, 'profile']) field(name).on('change', show);
  show();
}

/** The memory of all rings, with the geometry when there is only one or all are alike. */
function ringText(node: EditorNode, prefixes: readonly Prefix[]): string {
  const rings = prefixes.map((prefix) => [effective(nameOf(prefix, 'blockSize')), effective(nameOf(prefix, 'blockCount'))] as const);
  let total = 0;
  const parts: string[] = [];
  for (const [size, count] of rings) {
    if (size === undefined || count === undefined) return textOf(node, 'ring.unknown');
    total += size * count;
    const part = textOf(node, 'ring.part', { count, size: sizeText(size) });
    if (!parts.includes(part)) parts.push(part);
  }
  const all = parts.length < rings.length ? `${rings.length} x ${parts.join()}` : parts.join(' + ');
  return textOf(node, 'ring.summary', { parts: all, total: sizeText(total) });
}

/** The value that a field stands for, its default if it is empty; undefined when it is none. */
export function effective(name: string): number | undefined {
  const text = fieldValue(name) === '' ? String(field(name).attr('placeholder') ?? '') : fieldValue(name);
  const value = Number(text);
  return text !== '' && !field(name).hasClass('input-error') && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** The transmit ring has no profiles. Slots do not cross the border of a block, so some sizes waste a part of each. */
export function prepareTransmitRing(node: EditorNode): void {
  summarize(['frameSize', 'frameCount'], () => {
    const [size, count] = [effective('frameSize'), effective('frameCount')];
    if (size === undefined || count === undefined) return node._('inject-out.ring.unknown');
    const block = Math.max(EDITOR_PAGE_SIZE, 2 ** Math.ceil(Math.log2(size)));
    const total = Math.ceil(count / Math.floor(block / size)) * block;
    const key = total === size * count ? 'summary' : 'rounded';
    return node._(`inject-out.ring.${key}`, { count, size: sizeText(size), total: sizeText(total) });
  });
}
