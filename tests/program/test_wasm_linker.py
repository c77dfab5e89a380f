"""The linker for WebAssembly, on objects that LLVM makes of small modules."""

from __future__ import annotations

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.program import wasm_linker
from sdmodel.program.machine import emit_wasm
from sdmodel.program.wasm_linker import PAGE, Linked, link


def instance_of(linked: Linked, **functions):
    """The exports of a module as functions of Python."""
    store = wasmtime.Store()
    imports = []
    for name in linked.imports:
        function = functions[name.replace(".", "_")]
        kind = wasmtime.FuncType([wasmtime.ValType.f64()], [wasmtime.ValType.f64()])
        imports.append(wasmtime.Func(store, kind, function))
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, linked.code), imports).exports(store)
    return {name: lambda *given, own=own: own(store, *given) for name, own in exports.items() if callable(own)}


def linked_text(text: str, exports: list[str], **reserved: int) -> Linked:
    return link(emit_wasm(text, exports), exports=exports, reserved=reserved)


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_numbers_are_read_as_they_are_written(unsigned, signed):
    """LEB128 of either kind, in as few bytes as possible."""
    for write, value in ((wasm_linker._unsigned, unsigned), (wasm_linker._signed, signed)):
        data = write(value)
        reader = wasm_linker._Reader(data + b"\1")
        assert (reader.unsigned() if write is wasm_linker._unsigned else reader.signed()) == value
        assert reader.at == len(data) <= 5
        assert len(data) == 1 or write(value >> 7) == data[1:]


def test_code_finds_its_data_its_functions_and_its_imports():
    """Addresses of contents and of reserved memory, with and without an offset; calls in every direction; the stack."""
    linked = linked_text(
        """
        @table = internal constant [3 x double] [double 1.0, double 2.0, double 4.0]
        @given = global [2 x double] [double 10.0, double 20.0]
        @other = external global [8 x double]
        @last = external global [1 x double]
        declare double @Sums.twice(double)
        define internal double @entry(i32 %i) noinline {
          %p = getelementptr double, ptr @table, i32 %i
          %value = load double, ptr %p
          ret double %value
        }
        define internal void @fill(ptr %p) noinline {
          store volatile double 100.0, ptr %p
          ret void
        }
        define double @f(i32 %i) {
          %own = alloca double
          call void @fill(ptr %own)
          %hundred = load volatile double, ptr %own
          %a = call double @entry(i32 %i)
          %g = load double, ptr getelementptr (double, ptr @given, i32 1)
          %b = call double @Sums.twice(double %g)
          %ab = fadd double %a, %b
          %sum = fadd double %ab, %hundred
          store double %sum, ptr getelementptr (double, ptr @other, i32 7)
          store double 5.0, ptr @last
          ret double %sum
        }
        define double @g() {
          %value = load double, ptr getelementptr (double, ptr @other, i32 7)
          ret double %value
        }
        """,
        ["f", "g"],
        other=64,
        last=PAGE,
    )
    functions = instance_of(linked, Sums_twice=lambda x: 2 * x)
    assert functions["f"](2) == functions["g"]() == 4 + 2 * 20 + 100
    assert linked.imports == ("Sums.twice",)
    assert linked.addresses["given"] < linked.addresses["other"] < linked.addresses["last"]
    assert linked.addresses["last"] + PAGE <= linked.memory == 2 * PAGE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "declare double @cbrt(double)\ndefine double @f(double %x) {\n%y = call double @cbrt(double %x)\nret double %y\n}",
            "cbrt",
        ),
        (
            "@a = global [1 x ptr] [ptr @b]\n@b = global [1 x double] zeroinitializer\ndefine ptr @f() {\nret ptr @a\n}",
            "pointers",
        ),
        ("define ptr @f() {\nret ptr @f\n}", "pointers"),
    ],
    ids=["a function without a module", "a pointer in data", "a pointer to a function"],
)
def test_what_cannot_be_linked_is_refused(text, message):
    """Rather than linked wrongly."""
    with pytest.raises(ValueError, match=message):
        linked_text(text, ["f"])


def test_other_bytes_are_no_object():
    with pytest.raises(ValueError, match="no WebAssembly object"):
        link(b"\x7fELF", exports=[], reserved={})
