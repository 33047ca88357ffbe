/** Draws points with a colour map by WebGL2; survives the loss of its context. */

import { context, linked, Table } from "./gl";
import { type Points, SIDE } from "./points";
import type { Scale } from "./scale";

const VERTEX = `#version 300 es
in float x;
in float y;
in float z;
uniform vec2 origin;
uniform vec2 stretch; // from positions to the canvas, -1 to 1
uniform vec2 shift;
uniform float size;
out float value;
void main() {
  value = z;
  gl_PointSize = size;
  gl_Position = vec4((vec2(x, y) - origin) * stretch + shift, 0., 1.);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D colours;
uniform vec2 levels;
uniform int scale;
uniform vec4 absent;
uniform float size;
in float value;
out vec4 colour;
void main() {
  vec2 off = gl_PointCoord - .5;
  if (size > 4. && dot(off, off) > .25) discard;
  if (!(value == value)) { colour = absent; return; }
  float t = clamp((value - levels.x) / max(levels.y - levels.x, 1e-30), 0., 1.);
  if (scale == 1) t = log(1. + t * 999.) / log(1000.);
  if (scale == 2) t = sqrt(t);
  colour = texture(colours, vec2((t * 255. + .5) / 256., .5));
}`;

const ATTRIBUTES = ["x", "y", "z"] as const;
const UNIFORMS = ["colours", "levels", "scale", "absent", "origin", "stretch", "shift", "size"] as const;

export interface PointPainting {
  /** Left and top of the frame's first unit on the canvas, and pixels for a unit; all in pixels of the canvas. */
  left: number;
  top: number;
  unit: [number, number];
  size: number;
  levels: [number, number];
  scale: Scale;
  colours: string;
  absent: [number, number, number, number];
}

export class PointPainter {
  private readonly gl: WebGL2RenderingContext;
  private readonly table: Table;
  private program: WebGLProgram | null = null;
  private spots: Record<string, WebGLUniformLocation | null> = {};
  private buffers: (WebGLBuffer | null)[] = [];
  private points: Points | null = null;
  private last: PointPainting | null = null;

  /** @throws Error when the browser has no WebGL2. */
  constructor(private readonly canvas: HTMLCanvasElement) {
    this.gl = context(canvas);
    this.table = new Table(this.gl);
    canvas.addEventListener("webglcontextlost", this.lost);
    canvas.addEventListener("webglcontextrestored", this.restored);
    this.prepare();
  }

  close() {
    this.canvas.removeEventListener("webglcontextlost", this.lost);
    this.canvas.removeEventListener("webglcontextrestored", this.restored);
    this.table.close();
    for (const buffer of this.buffers) this.gl.deleteBuffer(buffer);
    this.gl.deleteProgram(this.program);
  }

  /** Other points. */
  show(points: Points) {
    this.points = points;
    const { gl } = this;
    ATTRIBUTES.forEach((name, k) => {
      const data = points[name];
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[k] ?? null);
      gl.bufferData(
        gl.ARRAY_BUFFER,
        data instanceof Float32Array ? data : Float32Array.from(data),
        gl.DYNAMIC_DRAW,
      );
    });
  }

  /** Draw them. */
  paint(how: PointPainting) {
    this.last = how;
    const { gl, canvas, spots, points } = this;
    if (gl.isContextLost() || points === null) return;
    const [x0, x1, y0, y1] = points.rim;
    const [kx, ky] = [(SIDE / (x1 - x0)) * how.unit[0], (SIDE / (y1 - y0)) * how.unit[1]];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    // biome-ignore lint/correctness/useHookAtTopLevel: a method of WebGL, no hook
    gl.useProgram(this.program);
    ATTRIBUTES.forEach((_, k) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[k] ?? null);
      gl.enableVertexAttribArray(k);
      gl.vertexAttribPointer(k, 1, gl.FLOAT, false, 0, 0);
    });
    this.table.bind(0, how.colours);
    gl.uniform1i(spots.colours ?? null, 0);
    gl.uniform2f(spots.levels ?? null, ...how.levels);
    gl.uniform1i(spots.scale ?? null, { linear: 0, log: 1, gamma: 2 }[how.scale]);
    gl.uniform4f(spots.absent ?? null, ...how.absent);
    gl.uniform1f(spots.size ?? null, how.size);
    gl.uniform2f(spots.origin ?? null, x0, y1);
    gl.uniform2f(spots.stretch ?? null, (2 * kx) / canvas.width, (2 * ky) / canvas.height);
    gl.uniform2f(spots.shift ?? null, (2 * how.left) / canvas.width - 1, 1 - (2 * how.top) / canvas.height);
    gl.drawArrays(gl.POINTS, 0, points.z.length);
  }

  private prepare() {
    const { gl } = this;
    this.program = linked(gl, VERTEX, FRAGMENT, ATTRIBUTES);
    if (this.program === null) return;
    for (const name of UNIFORMS) this.spots[name] = gl.getUniformLocation(this.program, name);
    this.buffers = ATTRIBUTES.map(() => gl.createBuffer());
    this.table.prepare();
    if (this.points !== null) this.show(this.points);
  }

  private readonly lost = (event: Event) => event.preventDefault();
  private readonly restored = () => {
    this.prepare();
    if (this.last !== null) this.paint(this.last);
  };
}
