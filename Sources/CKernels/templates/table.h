// The table of one instruction set, made of the templates before it.
const struct kernel_table KERNEL(kernel_table) = {
    .vector_width = VECTOR_WIDTH,
    .fused_multiply_add = FUSED,
    .f32_gemm_panel_vectors = KERNEL(f32_gemm_panel_vectors),
    .f32_gemm_tile_rows = KERNEL(f32_gemm_tile_rows),
    .f32_gemm = KERNEL(f32_gemm),
    .f32_depthwise = KERNEL(f32_depthwise),
    .f32_winograd_input = KERNEL(f32_winograd_input),
    .f32_winograd_output = KERNEL(f32_winograd_output),
    .f32_column_sum = KERNEL(f32_column_sum),
    .f32_column_scale = KERNEL(f32_column_scale),
    .f32_row_scale = KERNEL(f32_row_scale),
    .f32_activate = KERNEL(f32_activate),
    .u8_normalise_rgb = KERNEL(u8_normalise_rgb),
    .f32_fma_chains = KERNEL(f32_fma_chains),
};
