# cmake -DNVCC=... -DINCLUDE=... -DSOURCE=... -DOUTPUT=... -P no_fused_multiply.cmake
# The plain kernel must show a fused multiply-add (else this check could not fail), the rounded one must not.
execute_process(COMMAND ${NVCC} -std=c++20 -O3 --expt-relaxed-constexpr -arch=compute_90 -ptx -I${INCLUDE} ${SOURCE}
  -o ${OUTPUT} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "nvcc could not compile ${SOURCE}")
endif()
file(READ ${OUTPUT} ptx)
string(REGEX MATCH "entry plain[^}]*}" plain "${ptx}")
string(REGEX MATCH "entry rounded[^}]*}" rounded "${ptx}")
if(NOT plain MATCHES "fma\\.rn\\.f32")
  message(FATAL_ERROR "nvcc no longer fuses a*b+c: this check proves nothing\n${plain}")
endif()
if(rounded MATCHES "fma\\." OR NOT rounded MATCHES "mul\\.rn\\.f32")
  message(FATAL_ERROR "math::mul_rounded(a, b) + c was fused\n${rounded}")
endif()
