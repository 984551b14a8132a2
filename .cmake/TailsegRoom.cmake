# tailseg_room(NAME tensor [NEEDS autograd ...] [PRIVATE dep ...])
# A room is a library made of every .cpp and .cu of its folder, sub-folders included. Its headers are reached as
# "room/header.h" through an include folder that holds this room only, so a room that is not linked cannot be included.
# By name: x_cuda.{cpp,cu} is built only with CUDA, x_onednn.cpp only with oneDNN. Every other .cu is compiled by nvcc
# with CUDA and as C++ without.
function(tailseg_room)
  cmake_parse_arguments(ROOM "" "NAME" "NEEDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*.cu)
  list(FILTER sources EXCLUDE REGEX "/tailseg-[a-z-]+\\.cpp$")  # programs, not library
  if(NOT TAILSEG_HAS_CUDA)
    list(FILTER sources EXCLUDE REGEX "_cuda\\.(cpp|cu)$")
  endif()
  if(NOT TAILSEG_HAS_ONEDNN)
    list(FILTER sources EXCLUDE REGEX "_onednn\\.cpp$")
  endif()
  if(sources)
    add_library(tailseg_${ROOM_NAME} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(tailseg_${ROOM_NAME} PRIVATE $<BUILD_INTERFACE:tailseg_flags>)
    foreach(dep ${ROOM_PRIVATE})
      target_link_libraries(tailseg_${ROOM_NAME} PRIVATE $<BUILD_INTERFACE:tailseg_dep_${dep}>)
    endforeach()
  else()
    add_library(tailseg_${ROOM_NAME} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(tailseg::${ROOM_NAME} ALIAS tailseg_${ROOM_NAME})
  set_target_properties(tailseg_${ROOM_NAME} PROPERTIES EXPORT_NAME ${ROOM_NAME})
  set(door ${CMAKE_BINARY_DIR}/rooms/${ROOM_NAME})
  file(MAKE_DIRECTORY ${door})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${door}/${ROOM_NAME} SYMBOLIC)
  target_include_directories(tailseg_${ROOM_NAME} ${scope}
    $<BUILD_INTERFACE:${door}> $<INSTALL_INTERFACE:include/tailseg>)
  foreach(need ${ROOM_NEEDS})
    target_link_libraries(tailseg_${ROOM_NAME} ${scope} tailseg_${need})
  endforeach()
  if(NOT TAILSEG_HAS_CUDA)
    foreach(source ${sources})
      if(source MATCHES "\\.cu$")
        set_source_files_properties(${source} PROPERTIES LANGUAGE CXX)
      endif()
    endforeach()
  endif()
  set_property(GLOBAL APPEND PROPERTY TAILSEG_ROOMS ${ROOM_NAME})
endfunction()

# tailseg_link(tensor dnnl): links a room privately to a library (not headers alone) that TailsegDependencies found, here
# and, as tailseg::dep_<name>, wherever the installed package is used.
function(tailseg_link room name)
  target_link_libraries(tailseg_${room} PRIVATE
    $<BUILD_INTERFACE:tailseg_dep_${name}> $<INSTALL_INTERFACE:tailseg::dep_${name}>)
endfunction()

# tailseg_program(tailseg-train train.cpp): one program linked to every room it needs.
function(tailseg_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE tailseg_flags tailseg::apps tailseg_dep_cli11 tailseg_dep_rapidjson)
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# With TAILSEG_EMULATED_CARD a test finds a GPU, but for those that ask the real libraries what they do without one, and
# one that trains for longer than an interpreter should.
function(tailseg_on_emulated_card test)
  if(TAILSEG_HAS_CUDA AND TAILSEG_EMULATED_CARD AND NOT test MATCHES "^(tensor/(conv_plan|cuda_facts)|detection/mixed_precision|tree/.*)$")
    set_tests_properties(${test} PROPERTIES ENVIRONMENT LD_PRELOAD=$<TARGET_FILE:tailseg_card>)
  endif()
endfunction()

# tailseg_tests(tensor [more libraries]): tests/<room>/*_test.cpp as one executable; each file is one ctest test.
# ThreadSanitizer gets the files that have threads in them: those that name crew.h, threads or the loader.
function(tailseg_tests room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*_test.cpp)
  if(TAILSEG_SANITIZE STREQUAL "thread")
    foreach(source ${sources})
      file(STRINGS ${source} threaded REGEX "crew\\.h|thread|loader" LIMIT_COUNT 1)
      file(STRINGS ${source} programs REGEX "TAILSEG_BINARY_DIR|workshop\\.h" LIMIT_COUNT 1)  # programs, built elsewhere
      if(NOT threaded OR programs)
        list(REMOVE_ITEM sources ${source})
      endif()
    endforeach()
  endif()
  if(NOT sources)
    return()
  endif()
  add_executable(tailseg_test_${room} ${sources})
  add_dependencies(test_programs tailseg_test_${room})
  if(TARGET tailseg::${room})
    list(PREPEND ARGN tailseg::${room})
  endif()
  target_link_libraries(tailseg_test_${room} PRIVATE tailseg_flags ${ARGN} tailseg_test_main)
  foreach(source ${sources})
    get_filename_component(stem ${source} NAME_WE)
    string(REGEX REPLACE "_test$" "" test ${stem})
    add_test(NAME ${room}/${test} COMMAND tailseg_test_${room} --filenames-as-tags "[#${stem}]")
    set_tests_properties(${room}/${test} PROPERTIES LABELS ${room} TIMEOUT 600)
    tailseg_on_emulated_card(${room}/${test})
  endforeach()
endfunction()
