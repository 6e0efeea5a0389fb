/** The text of a shader file; bundlers of this repository load it as a string. */
declare module '*.wgsl' {
  const source: string;
  export default source;
}
