/** The whole application: for now only its name. */
export function App() {
  return (
    <main>
      <h1>Firstlight</h1>
    </main>
  );
}
