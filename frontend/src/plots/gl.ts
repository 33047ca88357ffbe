/** Draws one array of values with a colour map by WebGL2; survives the loss of its context. */

import type { NumberArray } from "../client/payload";
import { colourTable } from "./colours";
import type { Scale } from "./scale";

const VERTEX = `#version 300 es
const vec2 corners[4] = vec2[4](vec2(0., 0.), vec2(1., 0.), vec2(0., 1.), vec2(1., 1.));
uniform vec4 target; // left, top, width, height of the array on the canvas, 0 to 1
out vec2 at;
void main() {
  at = corners[gl_VertexID];
  vec2 place = target.xy + at * target.zw;
  gl_Position = vec4(place.x * 2. - 1., 1. - place.y * 2., 0., 1.);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D values;
uniform sampler2D colours;
uniform vec2 levels;
uniform int scale;
uniform float fill;
uniform bool filled;
uniform bool flip;
uniform vec4 absent;
uniform vec4 over;
uniform bool striped;
in vec2 at;
out vec4 colour;
void main() {
  vec2 place = flip ? vec2(at.x, 1. - at.y) : at;
  ivec2 size = textureSize(values, 0);
  float v = texelFetch(values, min(ivec2(place * vec2(size)), size - 1), 0).r;
  if (!(v == v)) { colour = absent; return; }
  if (filled && v == fill) {
    // Stripes are seen on any colour map, and by those who see no colours.
    bool dark = striped && mod(gl_FragCoord.x + gl_FragCoord.y, 8.) < 4.;
    colour = dark ? vec4(over.rgb * .5, over.a) : over;
    return;
  }
  float t = clamp((v - levels.x) / max(levels.y - levels.x, 1e-30), 0., 1.);
  if (scale == 1) t = log(1. + t * 999.) / log(1000.);
  if (scale == 2) t = sqrt(t);
  colour = texture(colours, vec2((t * 255. + .5) / 256., .5));
}`;

const UNIFORMS = [
  "values",
  "colours",
  "target",
  "levels",
  "scale",
  "fill",
  "filled",
  "flip",
  "absent",
  "over",
  "striped",
] as const;

/** What draws on a canvas.
 *
 * @throws Error when the browser has no WebGL2.
 */
export function context(canvas: HTMLCanvasElement): WebGL2RenderingContext {
  const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, preserveDrawingBuffer: true });
  if (gl === null) throw new Error("This browser does not draw with WebGL2; images cannot be shown.");
  return gl;
}

/** A program of two shaders; null when the context is lost already: it is restored later.
 *
 * @param attributes in the order of their numbers.
 */
export function linked(
  gl: WebGL2RenderingContext,
  vertex: string,
  fragment: string,
  attributes: readonly string[] = [],
): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  attributes.forEach((name, k) => {
    gl.bindAttribLocation(program, k, name);
  });
  gl.linkProgram(program);
  return program;
}

/** A texture whose pixels stay what they are. */
export function texture(gl: WebGL2RenderingContext): WebGLTexture | null {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}

/** A colour map as a texture. */
export class Table {
  private made: WebGLTexture | null = null;
  private name = "";

  constructor(private readonly gl: WebGL2RenderingContext) {}

  prepare() {
    this.made = texture(this.gl);
    this.name = "";
  }

  close() {
    this.gl.deleteTexture(this.made);
  }

  /** Let a texture unit have the map of that name. */
  bind(unit: number, name: string) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, this.made);
    if (this.name !== name) {
      this.name = name;
      const colours = colourTable(name);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours);
    }
    gl.activeTexture(gl.TEXTURE0);
  }
}

export interface Picture {
  data: NumberArray;
  width: number;
  height: number;
}

export interface Painting {
  /** Where the array lies on the canvas: left, top, width, height, as shares of the canvas. */
  target: [number, number, number, number];
  levels: [number, number];
  scale: Scale;
  colours: string;
  fill: number | null;
  /** Rows go up. */
  flip: boolean;
  absent: [number, number, number, number];
  /** Of pixels that have the value `fill`. */
  over: [number, number, number, number];
  /** Those pixels are striped. */
  striped: boolean;
}

export class Painter {
  private readonly gl: WebGL2RenderingContext;
  private program: WebGLProgram | null = null;
  private values: WebGLTexture | null = null;
  private readonly colours: Table;
  private spots: Record<string, WebGLUniformLocation | null> = {};
  private picture: Picture | null = null;
  private last: Painting | null = null;

  /** @throws Error when the browser has no WebGL2. */
  constructor(private readonly canvas: HTMLCanvasElement) {
    this.gl = context(canvas);
    this.colours = new Table(this.gl);
    canvas.addEventListener("webglcontextlost", this.lost);
    canvas.addEventListener("webglcontextrestored", this.restored);
    this.prepare();
  }

  close() {
    this.canvas.removeEventListener("webglcontextlost", this.lost);
    this.canvas.removeEventListener("webglcontextrestored", this.restored);
    this.gl.deleteTexture(this.values);
    this.colours.close();
    this.gl.deleteProgram(this.program);
  }

  /** Another array. */
  show(picture: Picture) {
    this.picture = picture;
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, this.values);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const data = picture.data instanceof Float32Array ? picture.data : Float32Array.from(picture.data);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, picture.width, picture.height, 0, gl.RED, gl.FLOAT, data);
  }

  /** Draw it. */
  paint(how: Painting) {
    this.last = how;
    const { gl, canvas, spots } = this;
    if (gl.isContextLost() || this.picture === null) return;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    // biome-ignore lint/correctness/useHookAtTopLevel: a method of WebGL, no hook
    gl.useProgram(this.program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.values);
    this.colours.bind(1, how.colours);
    gl.uniform1i(spots.values ?? null, 0);
    gl.uniform1i(spots.colours ?? null, 1);
    gl.uniform4f(spots.target ?? null, ...how.target);
    gl.uniform2f(spots.levels ?? null, ...how.levels);
    gl.uniform1i(spots.scale ?? null, { linear: 0, log: 1, gamma: 2 }[how.scale]);
    gl.uniform1f(spots.fill ?? null, how.fill ?? 0);
    gl.uniform1i(spots.filled ?? null, how.fill === null ? 0 : 1);
    gl.uniform1i(spots.flip ?? null, how.flip ? 1 : 0);
    gl.uniform4f(spots.absent ?? null, ...how.absent);
    gl.uniform4f(spots.over ?? null, ...how.over);
    gl.uniform1i(spots.striped ?? null, how.striped ? 1 : 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private prepare() {
    const { gl } = this;
    this.program = linked(gl, VERTEX, FRAGMENT);
    if (this.program === null) return;
    for (const name of UNIFORMS) this.spots[name] = gl.getUniformLocation(this.program, name);
    this.values = texture(gl);
    this.colours.prepare();
    if (this.picture !== null) this.show(this.picture);
  }

  private readonly lost = (event: Event) => event.preventDefault();
  private readonly restored = () => {
    this.prepare();
    if (this.last !== null) this.paint(this.last);
  };
}
