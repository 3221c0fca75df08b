/** The blocks of a PEM text by label, in their order; the text between them is for people. */
export function pemBlocks(text: string): readonly { readonly label: string; readonly pem: string }[] {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----\r?\n[\s\S]*?-----END \1-----/g);
  return [...blocks].map(([pem, label = ""]) => ({ label, pem }));
}
