"""Intrinsics of Apache TVM that script may call beside those of `ops.intrinsics`: they are parsed,
printed and kept, their meaning is that of the run time they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from ..ops.intrinsics import INTRINSICS, SAME

FIRST, LAST = "first", "last"  # the result's dtype is written as the first or last argument


@dataclass(frozen=True)
class Spelling:
    """How a call is written: `result` is a dtype, SAME (as the first argument), FIRST or LAST."""

    name: str
    result: str


_ROWS = {
    "handle": "tvm_access_ptr tvm_stack_make_array tvm_stack_make_shape tvm_stack_alloca "
              "tvm_tuple tvm_throw_last_error tvm_fill_fragment tvm_load_matrix_sync "
              "tvm_store_matrix_sync tvm_mma_sync tvm_bmma_sync tvm_thread_allreduce "
              "tvm_thread_invariant TVMBackendAllocWorkspace anylist_getitem "
              "start_profile_intrinsic end_profile_intrinsic handle_add_byte_offset lookup_param",
    "int32": "tvm_struct_set tvm_storage_sync call_packed_lowered call_cpacked "
             "call_cpacked_lowered call_trace_packed TVMBackendFreeWorkspace "
             "anylist_setitem_call_packed anylist_setitem_call_cpacked anylist_resetitem "
             "tvm_check_return mem_copy dma_copy dma_wait dma_start_group dma_end_group "
             "create_barriers ptx_commit_group ptx_wait_group q_multiply_shift "
             "q_multiply_shift_per_axis tvm_global_barrier_kinit vscale",
    SAME: "ignore_loop_partition likely tvm_warp_shuffle tvm_warp_shuffle_up "
          "tvm_warp_shuffle_down large_uint_imm",
    FIRST: "call_extern call_pure_extern reinterpret undef call_llvm_intrin call_llvm_pure_intrin "
           "vectorlow vectorhigh vectorcombine get_active_lane_mask type_annotation "
           "call_spirv_pure_glsl450 ptx_mma ptx_ldmatrix",
    LAST: "tvm_struct_get",
}
SPELLINGS = {name: Spelling(name, result) for result, names in _ROWS.items()
             for name in names.split()}
SPELLINGS |= {name: Spelling(name, row.result) for name, row in INTRINSICS.items()
              if name not in SPELLINGS}
