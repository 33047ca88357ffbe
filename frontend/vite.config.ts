import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The server fills in <base href>, so that the pages live below any prefix.
  base: "./",
  plugins: [react()],
  build: {
    outDir: process.env.FIRSTLIGHT_PAGES ?? "dist",
    emptyOutDir: true,
    // Data addresses are refused by the pages' content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
