# cmake --install: headers under include/tailseg/<room>/, one library a room, and a package, so that another project says
#   find_package(tailseg REQUIRED)
#   target_link_libraries(mine PRIVATE tailseg::detection)
# apps/ is programs, not a library for others.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tailseg)
get_property(rooms GLOBAL PROPERTY TAILSEG_ROOMS)
list(REMOVE_ITEM rooms apps)
foreach(room ${rooms})
  install(TARGETS tailseg_${room} EXPORT tailsegTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tailseg FILES_MATCHING PATTERN "*.h")
endforeach()
install(EXPORT tailsegTargets NAMESPACE tailseg:: DESTINATION ${package_dir})

configure_package_config_file(.cmake/tailsegConfig.cmake.in ${CMAKE_BINARY_DIR}/tailsegConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tailsegConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tailsegConfig.cmake ${CMAKE_BINARY_DIR}/tailsegConfigVersion.cmake
  DESTINATION ${package_dir})
