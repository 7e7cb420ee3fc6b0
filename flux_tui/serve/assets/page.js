// What the terminal of the page needs around it: where to connect, its font, the focus, the clipboard.
"use strict";

(() => {
  // Away from loopback, and without TLS, browsers offer no clipboard. The old way still works there.
  const copyByCommand = (text) => {
    const focused = document.activeElement;
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return copied ? Promise.resolve() : Promise.reject(new Error("the browser did not copy"));
  };
  const clipboard = navigator.clipboard;
  const tolerant = {
    // The dashboard never reads the clipboard: a paste comes from the browser itself.
    readText: () => Promise.resolve(""),
    writeText: (text) =>
      (clipboard ? clipboard.writeText(text).catch(() => copyByCommand(text)) : copyByCommand(text)).catch(
        (error) => console.warn(error.message),
      ),
  };
  Object.defineProperty(navigator, "clipboard", { value: tolerant });

  const focusTerminal = () => document.querySelector(".xterm-helper-textarea")?.focus();
  // The terminal would send ctrl+v to the dashboard, which cannot see the clipboard of the browser.
  const isPaste = (key) => key.ctrlKey && !key.altKey && key.code === "KeyV";
  const isClosed = () => document.body.classList.contains("-closed");
  const openAgain = () => window.location.reload();

  const openTerminal = window.onload;
  window.onload = async (event) => {
    const terminal = document.getElementById("terminal");
    terminal.dataset.sessionWebsocketUrl = new URL("tab", window.location.href).href.replace(/^http/, "ws");
    // The terminal measures its font once, when it opens.
    await Promise.allSettled([document.fonts.load("16px 'Roboto Mono'"), document.fonts.load("bold 16px 'Roboto Mono'")]);
    // The terminal tells the server about its focus, which it can do when it is connected.
    new MutationObserver(() => {
      focusTerminal();
      window.addEventListener("focus", focusTerminal);
    }).observe(terminal, { attributeFilter: ["class"] });
    openTerminal(event);
    document.getElementById("again").addEventListener("click", openAgain);
    const beforeTheTerminal = true;
    window.addEventListener(
      "keydown",
      (key) => {
        if (isPaste(key)) key.stopImmediatePropagation();
        if (isClosed() && key.key === "Enter") openAgain();
      },
      beforeTheTerminal,
    );
  };
})();
