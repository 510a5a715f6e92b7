"""The code between Python and kernels: a C function with CPython's vectorcall signature.

It goes through the *recipes* of a callable (a chain of arrays of words, made by `exec.fast_call`).
The first one whose conditions hold for the arguments is run: results are allocated, addresses are
written into the words of its kernels, the kernels are called one by one. Where none holds, the
arguments go to the callable's Python function, which says what is wrong or makes another recipe.

A recipe is read and changed under the global interpreter lock only; while kernels run without it,
the recipe is marked as busy, and other calls do not use it.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import numpy as np

from .. import exchange, object_cache
from ..numpy_layout import DATA, DESCR, DIMS, FLAGS, NDIM, new_array
from ...ir.errors import BuildError
from .jit import MachineCode, fingerprint, load, object_code

ENTRY = "unitylab.trampoline"
# words of a recipe: counts and addresses of tables
(NEXT, BUSY, ARGS, ARG_TABLE, PAIRS, PAIR_TABLE, OUTS, OUT_TABLE, PATCHES, PATCH_TABLE, STEPS,
 STEP_TABLE, KIND, RESULTS, RESULT_TABLE, KEEP_LOCK, FAILED, FAILED_STEP, FAILED_CODE, OBJECTS,
 ADDRESSES, WORDS) = range(22)
NOTHING, SINGLE, TUPLE = range(3)  # kinds of results
ROW = 8  # words of a row of a table
RECIPES = 24  # where a callable has the address of its first recipe, in bytes
SLOW = sys.intern("slow")

_FUNCTIONS = {
    "PyObject_Vectorcall": "ptr (ptr, ptr, i64, ptr)", "PyObject_CallNoArgs": "ptr (ptr)",
    "PyObject_GetAttr": "ptr (ptr, ptr)", "PyErr_Clear": "void ()",
    "PyEval_SaveThread": "ptr ()", "PyEval_RestoreThread": "void (ptr)", "Py_IncRef": "void (ptr)",
    "Py_DecRef": "void (ptr)", "PyTuple_New": "ptr (i64)",
    "PyTuple_SetItem": "i32 (ptr, i64, ptr)"}
_OBJECTS = {"none": None, "false": False, "ndarray": np.ndarray, "slow_name": SLOW,
            "gradient_name": exchange.GRADIENT}


def _loop(name: str, count: str, body: str, after: str, entry: str) -> str:
    """Repeats `body`, which ends by jumping to `{name}.next`, with `%{name}.i` from zero."""
    return f"""
  br label %{name}
{name}:
  %{name}.i = phi i64 [0, %{entry}], [%{name}.after, %{name}.next]
  %{name}.more = icmp slt i64 %{name}.i, {count}
  br i1 %{name}.more, label %{name}.body, label %{after}
{name}.body:
{body}
  br label %{name}.next
{name}.next:
  %{name}.after = add nsw i64 %{name}.i, 1
  br label %{name}"""


def _word(name: str, base: str, index: int | str, kind: str = "i64") -> str:
    """`%name = base[index]`."""
    return (f"  %{name}.at = getelementptr i64, ptr {base}, i64 {index}\n"
            f"  %{name} = load {kind}, ptr %{name}.at\n")


def _row(name: str, table: str, index: str, fields: dict[str, tuple[int, str]]) -> str:
    """The fields of row `index` of a table."""
    text = (f"  %{name}.shift = mul i64 {index}, {ROW}\n"
            f"  %{name}.row = getelementptr i64, ptr {table}, i64 %{name}.shift\n")
    return text + "".join(_word(f"{name}.{f}", f"%{name}.row", k, kind)
                          for f, (k, kind) in fields.items())


def _field(name: str, base: str, offset: int, kind: str) -> str:
    """`%name`: what is `offset` bytes behind `base`."""
    return (f"  %{name}.at = getelementptr i8, ptr {base}, i64 {offset}\n"
            f"  %{name} = load {kind}, ptr %{name}.at\n")


def _store(base: str, index: int | str, value: str, name: str) -> str:
    return (f"  %{name}.at = getelementptr i64, ptr {base}, i64 {index}\n"
            f"  store {value}, ptr %{name}.at")


def _address_of(name: str, array: str) -> str:
    return _field(name, array, DATA, "i64")


_CHECK = f"""
{_word("a", "%args", "%check.i", "ptr")}
{_row("want", "%arg.table", "%check.i",
      {"descr": (0, "ptr"), "ndim": (1, "i64"), "dims": (2, "ptr"), "flags": (3, "i64"),
       "type": (4, "ptr"), "export": (5, "ptr"), "dtype": (6, "i64"), "records": (7, "i64")})}
{_field("a.type", "%a", 8, "ptr")}
  %is.same = icmp eq ptr %a.type, %want.type
  %is.array = icmp eq ptr %want.export, null
  br i1 %is.same, label %check.known, label %release
check.known:
  br i1 %is.array, label %check.array, label %check.tensor

check.array:
{_field("a.data", "%a", DATA, "i64")}
{_field("a.descr", "%a", DESCR, "ptr")}
{_field("a.ndim", "%a", NDIM, "i32")}
{_field("a.flags", "%a", FLAGS, "i32")}
{_field("a.dims", "%a", DIMS, "ptr")}
  %want.flags32 = trunc i64 %want.flags to i32
  %same.descr = icmp eq ptr %a.descr, %want.descr
  %a.set = and i32 %a.flags, %want.flags32
  %same.flags = icmp eq i32 %a.set, %want.flags32
  %fits.array = and i1 %same.descr, %same.flags
  br label %check.rank

check.tensor:
  %refused = call i32 %want.export(ptr %a, ptr %tensor)
  %told = icmp eq i32 %refused, 0
  br i1 %told, label %check.told, label %check.refused
check.refused:
  call void @PyErr_Clear()
  br label %release
check.told:
{_field("t.data", "%tensor", exchange.DATA, "i64")}
{_field("t.device", "%tensor", exchange.DEVICE, "i32")}
{_field("t.ndim", "%tensor", exchange.NDIM, "i32")}
{_field("t.dtype", "%tensor", exchange.DTYPE, "i32")}
{_field("t.dims", "%tensor", exchange.SHAPE, "ptr")}
{_field("t.steps", "%tensor", exchange.STRIDES, "ptr")}
{_field("t.offset", "%tensor", exchange.OFFSET, "i64")}
  %t.start = add i64 %t.data, %t.offset
  %want.dtype32 = trunc i64 %want.dtype to i32
  %same.dtype = icmp eq i32 %t.dtype, %want.dtype32
  %on.cpu = icmp eq i32 %t.device, {exchange.CPU}
  %t.somewhere = icmp ne i64 %t.data, 0
  %t.readable = and i1 %on.cpu, %t.somewhere
  %fits.dtype = and i1 %same.dtype, %t.readable
  %may.record = icmp ne i64 %want.records, 0
  br i1 %may.record, label %check.record, label %check.rank
check.record:
  %recording = call ptr @PyObject_GetAttr(ptr %a, ptr @gradient_name)
  %not.recording = icmp eq ptr %recording, @false
  %unknown.recording = icmp eq ptr %recording, null
  br i1 %unknown.recording, label %check.refused, label %check.recorded
check.recorded:
  call void @Py_DecRef(ptr %recording)
  %fits.tensor = and i1 %fits.dtype, %not.recording
  br label %check.rank

check.rank:
  %fits = phi i1 [%fits.array, %check.array], [%fits.dtype, %check.told],
                 [%fits.tensor, %check.recorded]
  %start = phi i64 [%a.data, %check.array], [%t.start, %check.told], [%t.start, %check.recorded]
  %ndim = phi i32 [%a.ndim, %check.array], [%t.ndim, %check.told], [%t.ndim, %check.recorded]
  %dims = phi ptr [%a.dims, %check.array], [%t.dims, %check.told], [%t.dims, %check.recorded]
  %strides = phi ptr [null, %check.array], [%t.steps, %check.told], [%t.steps, %check.recorded]
  %want.ndim32 = trunc i64 %want.ndim to i32
  %same.ndim = icmp eq i32 %ndim, %want.ndim32
  %no.steps = icmp eq ptr %strides, null
  %same = and i1 %fits, %same.ndim
  br i1 %same, label %check.dims, label %release
check.dims:
{_loop("dim", "%want.ndim", f'''
{_word("have", "%dims", "%dim.i")}
{_word("wish", "%want.dims", "%dim.i")}
  %same.dim = icmp eq i64 %have, %wish
  br i1 %same.dim, label %dim.step, label %release
dim.step:
  br i1 %no.steps, label %dim.next.here, label %dim.compare
dim.compare:
  %wish.step.place = add i64 %dim.i, %want.ndim
{_word("step", "%strides", "%dim.i")}
{_word("wish.step", "%want.dims", "%wish.step.place")}
  %same.step = icmp eq i64 %step, %wish.step
  %one = icmp sle i64 %wish, 1
  %fine.step = or i1 %same.step, %one
  br i1 %fine.step, label %dim.next.here, label %release
dim.next.here:''', "check.done", "check.dims")}
check.done:
{_store("%addresses", "%check.i", "i64 %start", "keep.a")}"""

_PAIR = f"""
{_row("pair", "%pair.table", "%pairs.i",
      {"i": (0, "i64"), "j": (1, "i64"), "size": (2, "i64"), "other": (3, "i64")})}
{_word("first", "%addresses", "%pair.i")}
{_word("second", "%addresses", "%pair.j")}
  %distance = sub i64 %second, %first
  %least = sub i64 0, %pair.other
  %above = icmp slt i64 %least, %distance
  %below = icmp slt i64 %distance, %pair.size
  %shared = and i1 %above, %below
  br i1 %shared, label %next, label %pairs.next.here
pairs.next.here:"""

_ALLOCATE = f"""
{_row("out", "%out.table", "%outs.i",
      {"descr": (0, "ptr"), "ndim": (1, "i64"), "dims": (2, "ptr")})}
  %by.python = icmp slt i64 %out.ndim, 0
  br i1 %by.python, label %out.python, label %out.native
out.python:
  %made = call ptr @PyObject_CallNoArgs(ptr %out.descr)
  br label %out.done
out.native:
  call void @Py_IncRef(ptr %out.descr)
  %out.ndim32 = trunc i64 %out.ndim to i32
  %new = call ptr @new_array(ptr @ndarray, ptr %out.descr, i32 %out.ndim32, ptr %out.dims, ptr null,
                             ptr null, i32 0, ptr null)
  br label %out.done
out.done:
  %out = phi ptr [%made, %out.python], [%new, %out.native]
  %no.memory = icmp eq ptr %out, null
  br i1 %no.memory, label %give.up, label %out.there
out.there:
{_store("%objects", "%outs.i", "ptr %out", "keep.out")}
{_address_of("out.data", "%out")}
  %out.place = add i64 %outs.i, %count
{_store("%addresses", "%out.place", "i64 %out.data", "keep.out.data")}"""

_PATCH = f"""
{_row("patch", "%patch.table", "%patches.i", {"value": (0, "i64"), "word": (1, "ptr")})}
{_word("patch.address", "%addresses", "%patch.value")}
  store i64 %patch.address, ptr %patch.word"""

_STEP = f"""
{_row("call", "%step.table", "%steps.i", {"code": (0, "ptr"), "words": (1, "ptr")})}
  %code = call i32 %call.code(ptr %call.words)
  %fine = icmp eq i32 %code, 0
  br i1 %fine, label %steps.next.here, label %kernels.done
steps.next.here:"""

_VALUE = f"""
{_word("value.index", "%result.table", "%results.i")}
  %of.argument = icmp slt i64 %value.index, %count
  %object.index = sub i64 %value.index, %count
  %value.base = select i1 %of.argument, ptr %args, ptr %objects
  %value.place = select i1 %of.argument, i64 %value.index, i64 %object.index
{_word("value", "%value.base", "%value.place", "ptr")}
  call void @Py_IncRef(ptr %value)
  br i1 %is.tuple, label %value.tuple, label %drop
value.tuple:
  %set = call i32 @PyTuple_SetItem(ptr %tuple, i64 %results.i, ptr %value)"""

_CALL = f"""
define ptr @"{ENTRY}"(ptr %self, ptr %args, i64 %flags, ptr %names) {{
begin:
  %tensor = alloca [{exchange.SIZE} x i8], align 8
  %count = and i64 %flags, 9223372036854775807
{_field("first.recipe", "%self", RECIPES, "ptr")}
  %positional = icmp eq ptr %names, null
  br i1 %positional, label %try, label %slow

try:
  %recipe = phi ptr [%first.recipe, %begin], [%following, %next]
  %exhausted = icmp eq ptr %recipe, null
  br i1 %exhausted, label %slow, label %look
look:
{_word("wanted", "%recipe", ARGS)}
{_word("busy", "%recipe", BUSY)}
{_word("arg.table", "%recipe", ARG_TABLE, "ptr")}
{_word("addresses", "%recipe", ADDRESSES, "ptr")}
  %same.count = icmp eq i64 %count, %wanted
  %free = icmp eq i64 %busy, 0
  %usable = and i1 %same.count, %free
  br i1 %usable, label %check.begin, label %next
next:
{_word("following", "%recipe", NEXT, "ptr")}
  br label %try

release:
{_store("%recipe", BUSY, "i64 0", "free.unused")}
  br label %next

check.begin:
{_store("%recipe", BUSY, "i64 1", "take")}
{_loop("check", "%count", _CHECK, "checked", "check.begin")}

checked:
{_word("pairs.count", "%recipe", PAIRS)}
{_word("pair.table", "%recipe", PAIR_TABLE, "ptr")}
{_loop("pairs", "%pairs.count", _PAIR, "run", "checked")}

run:
{_word("objects", "%recipe", OBJECTS, "ptr")}
{_word("outs.count", "%recipe", OUTS)}
{_word("out.table", "%recipe", OUT_TABLE, "ptr")}
{_loop("outs", "%outs.count", _ALLOCATE, "patch", "run")}
give.up:
  br label %drop.begin

patch:
{_word("patches.count", "%recipe", PATCHES)}
{_word("patch.table", "%recipe", PATCH_TABLE, "ptr")}
{_loop("patches", "%patches.count", _PATCH, "kernels", "patch")}

kernels:
{_word("keep.lock", "%recipe", KEEP_LOCK)}
{_word("steps.count", "%recipe", STEPS)}
{_word("step.table", "%recipe", STEP_TABLE, "ptr")}
  %held = icmp ne i64 %keep.lock, 0
  br i1 %held, label %kernels.begin, label %unlock
unlock:
  %saved = call ptr @PyEval_SaveThread()
  br label %kernels.begin
kernels.begin:
  %thread = phi ptr [null, %kernels], [%saved, %unlock]
{_loop("steps", "%steps.count", _STEP, "kernels.done", "kernels.begin")}
kernels.done:
  %failure = phi i32 [0, %steps], [%code, %steps.body]
  br i1 %held, label %outcome, label %lock
lock:
  call void @PyEval_RestoreThread(ptr %thread)
  br label %outcome
outcome:
  %well = icmp eq i32 %failure, 0
  br i1 %well, label %finish, label %fail

fail:
  %failure64 = zext i32 %failure to i64
{_store("%recipe", FAILED_STEP, "i64 %steps.i", "keep.step")}
{_store("%recipe", FAILED_CODE, "i64 %failure64", "keep.code")}
{_word("failed", "%recipe", FAILED, "ptr")}
  %raised = call ptr @PyObject_CallNoArgs(ptr %failed)
  br label %drop.begin

finish:
{_word("kind", "%recipe", KIND)}
{_word("results.count", "%recipe", RESULTS)}
{_word("result.table", "%recipe", RESULT_TABLE, "ptr")}
  %is.tuple = icmp eq i64 %kind, {TUPLE}
  br i1 %is.tuple, label %new.tuple, label %values
new.tuple:
  %empty.tuple = call ptr @PyTuple_New(i64 %results.count)
  %no.tuple = icmp eq ptr %empty.tuple, null
  br i1 %no.tuple, label %drop.begin, label %values
values:
  %tuple = phi ptr [@none, %finish], [%empty.tuple, %new.tuple]
{_loop("results", "%results.count", _VALUE, "collected", "values")}
collected:
  br i1 %is.tuple, label %drop.begin, label %nothing
nothing:
  call void @Py_IncRef(ptr @none)
  br label %drop.begin

drop.begin:
  %many = phi i64 [%outs.i, %give.up], [%outs.count, %fail], [%outs.count, %collected],
                  [%outs.count, %nothing], [%outs.count, %new.tuple]
  %early = phi ptr [null, %give.up], [null, %fail], [%tuple, %collected], [@none, %nothing],
                   [null, %new.tuple]
  br label %drop.all
drop:
  br label %drop.all
drop.all:
  %drops = phi i64 [%many, %drop.begin], [%outs.count, %drop]
  %result = phi ptr [%early, %drop.begin], [%value, %drop]
{_loop("drops.loop", "%drops", f'''
{_word("dropped", "%objects", "%drops.loop.i", "ptr")}
  call void @Py_DecRef(ptr %dropped)''', "leave", "drop.all")}
leave:
{_store("%recipe", BUSY, "i64 0", "free")}
  ret ptr %result

slow:
  %python = call ptr @PyObject_GetAttr(ptr %self, ptr @slow_name)
  %no.python = icmp eq ptr %python, null
  br i1 %no.python, label %slow.failed, label %slow.call
slow.call:
  %answer = call ptr @PyObject_Vectorcall(ptr %python, ptr %args, i64 %flags, ptr %names)
  call void @Py_DecRef(ptr %python)
  ret ptr %answer
slow.failed:
  ret ptr null
}}
"""


def _declaration(name: str, kind: str) -> str:
    result, _, parameters = kind.partition(" ")
    return f"declare {result} @{name}{parameters}"


def text() -> str:
    """The LLVM IR of the function."""
    return "\n".join([*(f"@{n} = external global i8" for n in _OBJECTS),
                      *(_declaration(n, kind) for n, kind in _FUNCTIONS.items()),
                      _declaration("new_array", "ptr (ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)"),
                      _CALL])


def _symbols() -> dict[str, int]:
    """What the code refers to, by address."""
    found = {n: ctypes.cast(getattr(ctypes.pythonapi, n), ctypes.c_void_p).value
             for n in _FUNCTIONS}
    return {**found, **{n: id(o) for n, o in _OBJECTS.items()}, "new_array": new_array()}


@cache
def trampoline() -> MachineCode | None:
    """The loaded function; None where the layouts that it relies on are not known."""
    if not new_array():
        return None
    source = text()
    place = object_cache.key("trampoline", source, fingerprint())
    try:
        body = object_cache.read(place)
        if body is not None:
            return load(body, ENTRY, _symbols())
    except BuildError:
        pass  # a broken entry is written anew
    body = object_code(source, passes=False)  # 15 ms instead of 80
    object_cache.write(place, body)
    return load(body, ENTRY, _symbols())
