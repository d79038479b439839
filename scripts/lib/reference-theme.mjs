/**
 * How the reference looks: a page for a topic instead of one for a name, anchors that say what they stand for, and of a name what its signature does
 * not say already. How types are written is left to the plugin's theme.
 */
import { DeclarationReflection, ReflectionGroup, ReflectionKind } from 'typedoc';
import { MarkdownTheme, MarkdownThemeContext, ModuleRouter } from 'typedoc-plugin-markdown';
import { pageOf, pages } from './reference-pages.mjs';

/** What a reader looks for comes first. */
const ORDER = [ReflectionKind.Class, ReflectionKind.Function, ReflectionKind.Variable, ReflectionKind.Interface, ReflectionKind.TypeAlias];

/** Makes a module of each page, and a property of each accessor, because a table of them reads better than two headings for each. */
export function arrange(project) {
  for (const accessor of project.getReflectionsByKind(ReflectionKind.Accessor)) makeProperty(accessor);
  for (const reflection of Object.values(project.reflections)) reflection.name = spelled(reflection.name);
  const byPage = new Map(pages().map(({ name }) => [name, []]));
  for (const child of project.children) {
    const path = project.getSymbolIdFromReflection(child).packagePath.replace(/^src\//, '');
    byPage.get(pageOf(child.name, path).name).push(child);
  }
  project.children = project.childrenIncludingDocuments = project.groups = undefined;
  for (const [name, children] of byPage) {
    const module = new DeclarationReflection(name, ReflectionKind.Module, project);
    project.registerReflection(module, undefined, undefined);
    project.addChild(module);
    for (const child of children.sort(byKindAndName)) {
      child.parent = module;
      module.addChild(child);
    }
  }
}

/** A member whose name is a symbol, as it stands in a program. */
const spelled = (name) => name.replace(/^\[(\w+)\]$/, (_, symbol) => (symbol === 'custom' ? '[inspect.custom]' : `[Symbol.${symbol}]`));

const byKindAndName = (a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.name < b.name ? -1 : 1);

function makeProperty(accessor) {
  const { getSignature, setSignature, parent } = accessor;
  accessor.kind = ReflectionKind.Property;
  accessor.type = (getSignature ?? setSignature.parameters[0]).type;
  accessor.comment = getSignature?.comment ?? setSignature?.comment;
  accessor.getSignature = undefined;
  accessor.setSignature = undefined;
  // It changes the group that it is in, too.
  const accessors = parent.groups.find(({ title }) => title === 'Accessors');
  let properties = parent.groups.find(({ title }) => title === 'Properties');
  if (properties === undefined) {
    properties = new ReflectionGroup('Properties', parent);
    parent.groups.splice(parent.groups.indexOf(accessors), 0, properties);
  }
  accessors.children = accessors.children.filter((child) => child !== accessor);
  properties.children.push(accessor);
  if (accessors.children.length === 0) parent.groups = parent.groups.filter((group) => group !== accessors);
}

/** Anchors are qualified names: no name of theirs changes when another one is added to the page. */
export class ReferenceRouter extends ModuleRouter {
  buildAnchors(target) {
    const parts = [];
    let page = target;
    for (; page !== undefined && page.kind !== ReflectionKind.Module; page = page.parent) {
      if (!page.isSignature?.() && page.kind !== ReflectionKind.TypeLiteral) parts.unshift(page.name.replace(/\W/g, ''));
    }
    // What is deeper than a member may not be on the page at all.
    if (page === undefined || parts.length > 2) return;
    const anchor = parts.join('.');
    this.fullUrls.set(target, `${this.fullUrls.get(page)}#${anchor}`);
    if (!target.isSignature() && target.kind !== ReflectionKind.TypeLiteral) this.anchors.set(target, anchor);
    target.traverse((child) => {
      if (child.isDeclaration() || child.isSignature()) this.buildAnchors(child);
      return true;
    });
  }
}

export class ReferenceTheme extends MarkdownTheme {
  getRenderContext(page) {
    return new ReferenceContext(this, page, this.application.options);
  }
}

class ReferenceContext extends MarkdownThemeContext {
  constructor(...args) {
    super(...args);
    const { signature, signatures, parametersTable } = this.partials;
    this.templates.reflection = ({ model }) => (model.isProject() ? this.#index(model) : this.#page(model));
    this.partials.inheritance = () => '';
    // The line of the signature has the type already.
    this.partials.signatureReturns = (model) => {
      const tag = model.comment?.getTag('@returns');
      return tag === undefined ? '' : `Returns ${this.helpers.getCommentParts(tag.content)}`;
    };
    this.partials.parametersTable = (model) => (model.some(({ comment }) => comment) ? parametersTable(model) : '');
    this.partials.signature = (model, options) => signature(model, options).replace(/^#+ Parameters\n+(?!\|)/m, '');
    // Forms of a call that share a comment share it here as well.
    this.partials.signatures = (model, options) => {
      const { signatures: forms = [] } = model;
      const [text, ...others] = forms.map(({ comment }) => comment && this.partials.comment(comment));
      if (forms.length < 2 || others.some((other) => other !== text)) return signatures(model, options);
      const titles = forms.map((form) => this.partials.signatureTitle(form));
      return [...titles, this.partials.comment(forms[0].comment, { headingLevel: options.headingLevel + 1 })].join('\n\n');
    };
  }

  #index(project) {
    const lines = pages().map(({ name, title, text }) => {
      const names = project.getChildByName([name]).children.map((child) => `[\`${child.name}\`](${this.urlTo(child)})`);
      return `## [${title}](${name}.md)\n\n${text}\n\n${names.join(', ')}`;
    });
    return `# Reference of @netring/node-red\n\n${lines.join('\n\n')}\n`;
  }

  #page(module) {
    const { title, text } = pages().find(({ name }) => name === module.name);
    const names = module.children.map((child) => `[\`${child.name}\`](${this.urlTo(child)})`);
    return [
      `[Reference](README.md)`,
      `# ${title}`,
      text,
      names.join(', '),
      this.partials.members(module.children, { headingLevel: 2 }),
    ].join('\n\n');
  }
}
